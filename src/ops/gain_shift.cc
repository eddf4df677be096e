#include "ops/gain_shift.h"

#include "ops/binary.h"
#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_dequantize;
extern const OpDef op_scale_bias;

namespace {

struct Constant {
  Shape shape;
  std::vector<double> reals;
};

// A float constant, or a quantized one behind its dequantize. One that is int8 per tensor stays what it is: it has an
// int8 form that is exact.
std::optional<Constant> constant_operand(Program& p, ValueId id) {
  const Value* value = &p[id];
  if (!value->is_constant()) {
    const Node* source = p.producer(id);
    if (source == nullptr || source->op != &op_dequantize || !p[source->inputs[0]].is_constant())
      return std::nullopt;
    value = &p[source->inputs[0]];
    if (value->type.is_q8() && value->type.quant->is_per_tensor()) return std::nullopt;
  }
  const auto reals = real_values(*value);
  if (!reals) return std::nullopt;
  return Constant{value->type.shape, *reals};
}

ValueId add_floats(Program& p, const std::string& name, const Shape& shape, const std::vector<double>& reals) {
  std::vector<float> data(reals.begin(), reals.end());
  return p.add_constant(name, f32(shape), make_tensor(Elem::f32, shape, data));
}

Coefficients lines(const Constant& constant, LineOf line) {
  Coefficients c{constant.shape, {}};
  for (double real : constant.reals) c.at.push_back(line(real));
  return c;
}

// Both operands are constants: so is the result. The node, unread now, goes with the dead.
void compute(Program& p, Node& node, const Constant& a, const Coefficients& of_b) {
  const Shape& shape = p.type(node.outputs[0]).shape;
  const Indices at = broadcast_indices(a.shape, of_b.shape, shape);
  std::vector<double> reals;
  for (size_t i = 0; i < at.a.size(); ++i) {
    const GainShift& line = of_b.at[at.b[i]];
    reals.push_back(line.gain * a.reals[at.a[i]] + line.shift);
  }
  p.replace_uses(node.outputs[0], add_floats(p, p[node.outputs[0]].name, shape, reals));
}

}  // namespace

Coefficients coefficients(const Program& p, const Node& node) {
  const Value& gain = p[node.inputs[1]];
  const Value& shift = p[node.inputs[2]];
  Coefficients c{*broadcast(gain.type.shape, shift.type.shape), {}};
  const Indices at = broadcast_indices(gain.type.shape, shift.type.shape, c.shape);
  for (size_t i = 0; i < at.a.size(); ++i)
    c.at.push_back({double{gain.constant->as<float>()[at.a[i]]}, double{shift.constant->as<float>()[at.b[i]]}});
  return c;
}

Coefficients composed(const Coefficients& first, const Coefficients& second) {
  Coefficients c{*broadcast(first.shape, second.shape), {}};
  const Indices at = broadcast_indices(first.shape, second.shape, c.shape);
  for (size_t i = 0; i < at.a.size(); ++i) {
    const GainShift& inner = first.at[at.a[i]];
    const GainShift& outer = second.at[at.b[i]];
    c.at.push_back({outer.gain * inner.gain, outer.gain * inner.shift + outer.shift});
  }
  return c;
}

void become_scale_bias(Program& p, Node& node, ValueId x, const Coefficients& c) {
  std::vector<double> gain, shift;
  for (const GainShift& k : c.at) {
    gain.push_back(k.gain);
    shift.push_back(k.shift);
  }
  node.op = &op_scale_bias;
  node.inputs = {x, add_floats(p, node.name + ".gain", c.shape, gain),
                 add_floats(p, node.name + ".shift", c.shape, shift)};
}

Result<bool> simplify_constant_operand(Program& p, Node& node, LineOf constant_a, LineOf constant_b) {
  if (p.form != Form::torch || (p.users(node.outputs[0]).empty() && !p.is_output(node.outputs[0]))) return false;
  const auto a = constant_operand(p, node.inputs[0]);
  auto b = constant_operand(p, node.inputs[1]);
  const double alpha = node.attrs.has("alpha") ? node.attrs.number("alpha") : 1;  // of b
  if (b)
    for (double& real : b->reals) real *= alpha;
  if (a && b && constant_b != nullptr) {
    compute(p, node, *a, lines(*b, constant_b));
  } else if (b && constant_b != nullptr) {
    become_scale_bias(p, node, node.inputs[0], lines(*b, constant_b));
  } else if (a && constant_a != nullptr) {
    Coefficients c = lines(*a, constant_a);
    for (GainShift& k : c.at) k.gain *= alpha;
    become_scale_bias(p, node, node.inputs[1], c);
  } else {
    return false;
  }
  node.attrs.erase("alpha");
  return true;
}

}  // namespace fold8::ops
