// From a model file to firmware source: reader, passes, planner and writer joined. What the command line calls.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
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
  passes::InputLayout input_layout = passes::InputLayout::nhwc;
  passes::CallerOwns caller_owns;
};

// An archive, or a program's text (docs/ir.md) in a file named .f8. Torch form, or int8 form where a text has that.
Result<ir::Program> load(const std::filesystem::path& model, const ModelOptions& options);

struct Int8Model {
  ir::Program program;        // int8 form
  int64_t macs_as_given = 0;  // before channels were dropped
  Diags reports;              // what the passes did that the user should know
};

Result<Int8Model> load_int8(const std::filesystem::path& model, const ModelOptions& options);

// A first stage in tiles.
struct Patch {
  passes::Stage stage;
  int64_t rows = 1;
  int64_t columns = 1;
  std::string last = {};    // node of the stage
  int64_t whole_bytes = 0;  // arena of the program without tiles
};

struct Compiled {
  ir::Program program;  // placed form
  plan::Plan plan;
  target::Target target;
  std::optional<Patch> patch = {};
  int64_t macs = 0;  // tiles' borders included
};

// Why a node of a packed program runs its plain kernel: which proof failed. Empty when it has the one its ISA offers.
std::string why_plain(const ir::Node& node);

// int8 -> placed. Where the target asks for tiles, or its memory demands them, with the first stage in tiles.
Result<Compiled> compile(ir::Program int8, const target::Target& target);

}  // namespace fold8::driver
