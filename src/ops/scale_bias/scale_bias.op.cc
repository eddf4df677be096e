// scale_bias: y = x * gain + shift, constants of the result's shape or broadcast to it. What add, sub, mul, div and
// batch_norm become where an operand is a float constant: the constant keeps float accuracy for each of its elements.
//
//   torch   scale_bias %x, %gain, %shift  [min= max=]            f32, constant f32, constant f32 -> f32
//   int8    scale_bias %x, %scale, %bias  shift= [clamp=[lo,hi]] q8, constant i32, constant i32 of one shape -> q8:
//           y = clamp((bias[k] + scale[k] * x) >> shift); the zero points are in bias
//
// simplify composes neighbours and folds into the weights before or after (fold.cc). docs/arithmetic.md "Gains and
// shifts of constants" derives the integers.
#include <algorithm>

#include "ops/affine.h"
#include "ops/binary.h"
#include "ops/gain_shift.h"
#include "ops/scale_bias/fold.h"
#include "quant/scale_bias.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_clamp;

namespace {

// ---- shapes

Result<> check_shift(const Node& node) {
  const Attr* attr = node.attrs.find("shift");
  const auto* shift = attr == nullptr ? nullptr : std::get_if<int64_t>(attr);
  if (shift == nullptr || *shift < quant::kLeastScaleBiasShift || *shift > quant::kMostScaleBiasShift)
    return bad_operand(fmt::format("needs shift=, {} to {}", quant::kLeastScaleBiasShift, quant::kMostScaleBiasShift));
  return ok;
}

// No sum leaves int32, whatever x is: the kernels rely on it.
Result<> check_sums(const Program& p, const Node& node) {
  const auto scale = p[node.inputs[1]].constant->as<int32_t>();
  const auto bias = p[node.inputs[2]].constant->as<int32_t>();
  for (size_t k = 0; k < scale.size(); ++k)
    if (!quant::fits({scale[k], bias[k]}, static_cast<int>(node.attrs.integer("shift"))))
      return bad_operand(fmt::format("scale {} and bias {} can leave int32", scale[k], bias[k]));
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 3, 3));
  F8_CHECK(check_clamp(node));
  const bool real = p.form == Form::torch;
  const Type& x = p.type(node.inputs[0]);
  if (real ? x.elem != Elem::f32 : !x.is_q8() || !x.quant->is_per_tensor())
    return bad_operand(fmt::format("operand is not {}", real ? "float" : "int8 with one scale and zero point"));
  for (size_t i : {1, 2}) {
    const Value& constant = p[node.inputs[i]];
    if (!constant.is_constant() || constant.type.elem != (real ? Elem::f32 : Elem::i32))
      return bad_operand(fmt::format("operand {} is not a constant of kind {}", i, real ? "f32" : "i32"));
  }
  const auto constants = broadcast(p.type(node.inputs[1]).shape, p.type(node.inputs[2]).shape);
  const auto shape = constants ? broadcast(x.shape, *constants) : std::nullopt;
  if (!shape)
    return bad_operand(fmt::format("shapes {}, {} and {} do not broadcast", shape_text(x.shape),
                                   shape_text(p.type(node.inputs[1]).shape), shape_text(p.type(node.inputs[2]).shape)));
  if (!real) {
    F8_CHECK(check_shift(node));
    if (p.type(node.inputs[1]).shape != p.type(node.inputs[2]).shape) return bad_operand("scale and bias differ in shape");
    F8_CHECK(check_sums(p, node));
    if (too_many_dimensions(walk_of(x.shape, *constants, *shape)))
      return bad_operand(fmt::format("broadcasts {} and {} along too many dimensions", shape_text(x.shape),
                                     shape_text(*constants)));
  }
  return std::vector{Type{real ? Elem::f32 : Elem::i8, *shape, std::nullopt}};
}

// ---- torch form

// second(first(x)), where nobody else reads the first and no clamp stands between.
bool compose_with_the_one_before(Program& p, Node& node) {
  const ValueId x = node.inputs[0];
  const Node* before = p.producer(x);
  if (before == nullptr || before->op != node.op || before->attrs.has("min") || p.sole_user(x) != &node) return false;
  node.places.insert(node.places.begin(), before->places.begin(), before->places.end());
  become_scale_bias(p, node, before->inputs[0], composed(coefficients(p, *before), coefficients(p, node)));
  p.erase_nodes([&](const Node& other) { return other.outputs[0] == x; });
  return true;
}

// gain * clamp(x) + shift = clamp(gain * x + shift) between the bounds' own lines, of one gain and shift for all: so the
// clamp comes last, where it costs nothing.
bool swap_with_a_clamp_before(Program& p, Node& node) {
  const ValueId x = node.inputs[0];
  Node* clamp = p.producer(x);
  if (clamp == nullptr || clamp->op != &op_clamp || p.sole_user(x) != &node ||
      p.type(x).shape != p.type(node.outputs[0]).shape)
    return false;
  const Coefficients c = coefficients(p, node);
  const auto [gain, shift] = c.at.empty() ? GainShift{} : c.at.front();
  const auto differs = [&](const GainShift& k) { return k.gain != gain || k.shift != shift; };
  if (std::ranges::any_of(c.at, differs) || gain == 0 || !std::isfinite(gain) || !std::isfinite(shift)) return false;
  const auto [least, most] =
      std::minmax({gain * clamp->attrs.number("min") + shift, gain * clamp->attrs.number("max") + shift});
  node.inputs.set(0, clamp->inputs[0]);
  clamp->inputs.set(0, x);
  clamp->attrs.set("min", least);
  clamp->attrs.set("max", most);
  std::swap(node.outputs, clamp->outputs);
  std::swap(node, *clamp);  // in the order of their operands
  return true;
}

Result<bool> simplify(Program& p, Node& node) {
  if (p.form != Form::torch) return false;
  const ValueId y = node.outputs[0];
  if (!p.is_needed(y)) return false;
  if (swap_with_a_clamp_before(p, node)) return true;
  if (compose_with_the_one_before(p, node)) return true;
  F8_TRY(const bool before, fold_into_weights_before(p, node));
  if (before) return true;
  return fold_into_weights_after(p, node);
}

// ---- torch -> int8

Result<> integerize(Program& p, Node& node) {
  if (p.type(node.inputs[1]).elem == Elem::i32) return ok;  // it is, and infer has checked it
  const Type& x = p.type(node.inputs[0]);
  const Type& y = p.type(node.outputs[0]);
  for (const Type* type : {&x, &y})
    if (!type->is_q8() || !type->quant->is_per_tensor())
      return not_integer(p, node, "operand or result is not int8 with one scale and zero point");
  const Coefficients c = coefficients(p, node);
  std::vector<quant::Line> lines;
  for (const GainShift& k : c.at) {
    const double slope = k.gain * x.quant->scale() / y.quant->scale();
    lines.push_back({slope, k.shift / y.quant->scale() + y.quant->zero - slope * x.quant->zero});
    if (!std::isfinite(slope) || std::isnan(k.shift))  // an infinite shift saturates
      return not_integer(p, node, fmt::format("multiplies by {} and adds {}", k.gain, k.shift));
  }
  const quant::ScaleBiasTable table = quant::scale_bias_table(lines);
  std::vector<int32_t> scale, bias;
  for (const quant::ScaleBias& k : table.entries) {
    scale.push_back(k.scale);
    bias.push_back(k.bias);
  }
  const auto constant = [&](const char* suffix, const std::vector<int32_t>& data) {
    return p.add_constant(node.name + suffix, {Elem::i32, c.shape, {}}, make_tensor(Elem::i32, c.shape, data));
  };
  node.inputs.set(1, constant(".scale", scale));
  node.inputs.set(2, constant(".bias", bias));
  node.attrs.set("shift", int64_t{table.shift});
  return ok;
}

// ---- meaning

void evaluate(const Evaluation& e) {
  const Indices at = broadcast_indices(e.in_type(0).shape, e.in_type(1).shape, e.out_type(0).shape);
  const auto x = e.in[0]->as<int8_t>();
  const auto scale = e.in[1]->as<int32_t>();
  const auto bias = e.in[2]->as<int32_t>();
  const Bounds bounds = clamp_bounds(e.node);
  const int64_t shift = e.node.attrs.integer("shift");
  for (size_t i = 0; i < at.a.size(); ++i) {
    const int64_t sum = int64_t{scale[at.b[i]]} * x[at.a[i]] + bias[at.b[i]];
    e.out[0]->as<int8_t>()[i] = static_cast<int8_t>(quant::clamp(sum >> shift, bounds.lo, bounds.hi));
  }
}

// ---- device

constexpr const char* kHeader = "ops/scale_bias/scale_bias.kernel.h";

std::vector<std::string> template_args(const Node& node, const Walk& walk) {
  std::vector<std::string> args = shift_template_args(node, static_cast<int>(node.attrs.integer("shift")));
  for (int64_t step : {walk.run.a, walk.run.b}) args.push_back(std::to_string(step));
  return args;
}

KernelStruct output(const Program& p, const Node& node) {
  const Bounds bounds = clamp_bounds(node);
  return {"f8k::Output", {{"zero", p.type(node.outputs[0]).quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  if (y.elems() == 0) return {};
  const Walk walk = walk_of(p.type(node.inputs[0]).shape, p.type(node.inputs[1]).shape, y.shape);
  const bool one_run = walk.around.empty();
  KernelCall call{one_run ? "f8k::scale_bias_elements" : "f8k::scale_bias_broadcast", kHeader, template_args(node, walk),
                  {}};
  if (one_run) {
    call.args.push_back(KernelInt{"elems", walk.run.size});
  } else {
    call.args.push_back(broadcast_struct(walk));
  }
  call.args.push_back(output(p, node));
  for (ValueId id : node.inputs) call.args.push_back(KernelPointer{id});
  call.args.push_back(KernelPointer{node.outputs[0]});
  return {call};
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target&) {
  const Shape& y = p.type(node.outputs[0]).shape;
  if (p.type(node.inputs[0]).shape != y || y.size() != 4 || elem_count(y) == 0) return std::nullopt;
  Shape table = p.type(node.inputs[1]).shape;
  table.insert(table.begin(), 4 - table.size(), 1);
  const int64_t row_step = table[1] == 1 ? 0 : table[2] * table[3];
  const Walk walk = walk_of({y[2], y[3]}, {table[2], table[3]}, {y[2], y[3]});
  KernelCall call{"f8k::ScaleBiasRows", kHeader, template_args(node, walk), {}};
  call.args = {broadcast_struct(walk),         output(p, node),
               KernelInt{"row_step", row_step}, KernelPointer{node.inputs[1]},
               KernelPointer{node.inputs[2]},  KernelRows{node.inputs[0], y[1], y[2] * y[3]},
               KernelRows{node.outputs[0], y[1], y[2] * y[3]}};
  call.is_object = true;
  return call;
}

}  // namespace

extern const OpDef op_scale_bias;
constexpr OpDef op_scale_bias = {
    .name = "scale_bias",
    .traits = trait::fuses_clamp,
    .access = {.elementwise = true},
    .infer = infer,
    .integerize = integerize,
    .real = [](const Node&, std::span<const double> x) { return x[0] * x[1] + x[2]; },
    .evaluate = evaluate,
    .permute_through = permute_binary,
    .simplify = simplify,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_scale_bias));

}  // namespace fold8::ops
