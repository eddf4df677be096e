// From the int8 form to a placed program: weights packed for a core, every value in the arena, the first stage in tiles
// where that is asked for or the arena would be too large. Door: compile().
#pragma once

#include <optional>
#include <string>

#include "ir/program.h"
#include "passes/passes.h"
#include "plan/plan.h"
#include "target/options.h"
#include "target/target.h"

namespace fold8::backend {

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
  target::CompileOptions options;
  std::optional<Patch> patch = {};
  int64_t macs = 0;  // tiles' borders included
};

Result<Compiled> compile(ir::Program int8, const target::Target& target, const target::CompileOptions& options = {});

}  // namespace fold8::backend
