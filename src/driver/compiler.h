// A model file as a program in int8 form: reader and passes joined. What the command line calls.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "backend/compile.h"
#include "ir/program.h"
#include "passes/passes.h"

namespace fold8::driver {

using backend::compile;
using backend::Compiled;

struct ModelOptions {
  std::map<std::string, int64_t> bind;  // sizes of symbolic dimensions
  passes::Ends ends = passes::Ends::int8;
  passes::InputLayout input_layout = passes::InputLayout::nhwc;
  passes::CallerOwns caller_owns;
};

// An archive, or a program's text (docs/ir.md) in a file named .f8. Torch form, or int8 form where a text has that.
// `blockers`: as in pt2::read.
Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options, Diags* blockers = nullptr);

struct Int8Model {
  ir::Program program;        // int8 form
  int64_t macs_as_given = 0;  // before channels were dropped
  Diags reports;              // what the passes did that the user should know
};

Result<Int8Model> load_int8(const std::filesystem::path& model, const ModelOptions& options);

// Why a node of a packed program runs its plain kernel: which proof failed. Empty when it has the one its ISA offers.
std::string why_plain(const ir::Node& node);

}  // namespace fold8::driver
