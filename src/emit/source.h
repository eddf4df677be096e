// The body of <name>.cpp: constant tables, and one call per kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emit/emit.h"
#include "ir/program.h"
#include "plan/plan.h"
#include "target/target.h"

namespace fold8::emit {

// "dsp" -> "f8k::Dsp", the type in device/isa/dsp/isa.h.
std::string isa_type(const target::Target& target);

struct Body {
  std::string tables;
  std::string calls;                 // statements of invoke
  std::vector<std::string> headers;  // device headers that the calls need
  int64_t weight_bytes = 0;
};

Body body(const ir::Program& p, const plan::Plan& plan, const target::Target& target, const Options& options);

}  // namespace fold8::emit
