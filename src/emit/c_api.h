// What a model is in C: its functions, their parameters, and the header that declares them.
#pragma once

#include <string>
#include <vector>

#include "emit/emit.h"
#include "ir/program.h"
#include "plan/plan.h"
#include "target/target.h"

namespace fold8::emit {

inline constexpr const char* kVersion = "0.1.0";

const char* c_type(ir::Elem elem);

// One end of the model, with the names C gives it: digits_input / DIGITS_INPUT, or with a suffix where there are
// several.
struct End {
  ir::ValueId value;
  std::string suffix;  // "input", "input_h", "output_1"
  bool is_input;
};

std::vector<End> ends(const ir::Program& p);

inline bool in_arena(const ir::Program& p, const End& end) { return p[end.value].buffer == ir::Buffer::arena; }

// A parameter of invoke for each buffer of the caller's: ", const int8_t* input, int8_t* output".
std::string buffer_parameters(const ir::Program& p);

// <name>.h
std::string header(const ir::Program& p, const plan::Plan& plan, const target::Target& target, const Options& options,
                   int64_t weight_bytes);

}  // namespace fold8::emit
