// y = gain * x + shift, constants of the result's shape or broadcast to it: what elementwise ops with a constant operand,
// and batch norms, are. In torch form all of them become op scale_bias, which composes and folds them.
#pragma once

#include <optional>
#include <vector>

#include "ir/infer.h"

namespace fold8::ops {

struct GainShift {
  double gain = 1;
  double shift = 0;
};

// One for each element of `shape`.
struct Coefficients {
  ir::Shape shape;
  std::vector<GainShift> at;
};

// Of a scale_bias in torch form.
Coefficients coefficients(const ir::Program& program, const ir::Node& node);

// second(first(x)).
Coefficients composed(const Coefficients& first, const Coefficients& second);

// Makes a node in torch form a scale_bias of `x`; attributes min, max stay.
void become_scale_bias(ir::Program& program, ir::Node& node, ir::ValueId x, const Coefficients& c);

// What a binary op makes of its other operand, given a constant.
using LineOf = GainShift (*)(double constant);

// simplify of a binary op, in torch form: with a constant that is not int8 per tensor the node becomes a scale_bias,
// with two float constants a constant. Null: the op is no line in that operand.
Result<bool> simplify_constant_operand(ir::Program& program, ir::Node& node, LineOf constant_a, LineOf constant_b);

}  // namespace fold8::ops
