// From a model file to firmware source: reader, passes, planner and writer joined. What the command line calls.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "emit/emit.h"
#include "ir/program.h"
#include "passes/passes.h"
#include "plan/plan.h"
#include "target/target.h"

namespace fold8::driver {

struct ModelOptions {
  std::map<std::string, int64_t> bind;  // sizes of symbolic dimensions
  passes::Ends ends = passes::Ends::int8;
};

// Torch form, as read.
Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options);

// int8 form. `reports`: what the passes did that the user should know.
Result<ir::Program> load_int8(const std::filesystem::path& model, const ModelOptions& options, Diags& reports);

struct Compiled {
  ir::Program program;  // placed form
  plan::Plan plan;
  target::Target target;
};

// int8 -> placed.
Result<Compiled> compile(ir::Program int8, const target::Target& target);

int64_t total_macs(const ir::Program& program);

}  // namespace fold8::driver
