// requantize: the same reals under another scale and zero point. Made by passes: from a dequantize that feeds a
// quantize, and where an op needs operands of equal parameters.
//
//   requantize %x [clamp=[lo,hi]]      q8 -> q8; packed: with affine= or why=, ops/affine.h
#include <algorithm>

#include "ops/affine.h"

namespace fold8::ops {

using namespace ir;

namespace {

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_clamp(node));
  F8_CHECK(check_affine(node));
  const Type& x = p.type(node.inputs[0]);
  if (!x.is_q8()) return bad_operand("operand is not a quantized int8");
  return std::vector{Type{Elem::i8, x.shape, std::nullopt}};
}

quant::Rescale rescale(const Program& p, const Node& node) {
  return *quant::make_rescale(p.type(node.inputs[0]).quant->scale() / p.type(node.outputs[0]).quant->scale());
}

Result<> integerize(Program& p, Node& node) {
  const double sx = p.type(node.inputs[0]).quant->scale();
  const double sy = p.type(node.outputs[0]).quant->scale();
  if (!quant::make_rescale(sx / sy))
    return not_integer(p, node, fmt::format("scale {} / scale {} is not below 2^{}", sx, sy, quant::kMaxLeftShift));
  return ok;
}

int8_t requantized(const Program& p, const Node& node, int8_t x) {
  const Bounds bounds = clamp_bounds(node);
  const int32_t scaled = quant::apply(rescale(p, node), x - p.type(node.inputs[0]).quant->zero);
  return static_cast<int8_t>(quant::clamp(int64_t{p.type(node.outputs[0]).quant->zero} + scaled, bounds.lo, bounds.hi));
}

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) {
  const Quant& qx = *p.type(node.inputs[0]).quant;
  const Quant& qy = *p.type(node.outputs[0]).quant;
  const Bounds bounds = clamp_bounds(node);
  const double slope = qx.scale() / qy.scale();
  quant::RoundedSum sum{quant::all_int8(), {0}, {}, slope, 0, qy.zero - slope * qx.zero, bounds.lo, bounds.hi};
  for (const int8_t x : sum.a) sum.y.push_back(requantized(p, node, x));
  set_affine(node, quant::find_affine(sum));
  return ok;
}

void evaluate(const Evaluation& e) {
  const auto affine = affine_of(e.node);
  const Bounds bounds = clamp_bounds(e.node);
  std::ranges::transform(e.in[0]->as<int8_t>(), e.out[0]->as<int8_t>().begin(), [&](int8_t x) {
    return affine ? static_cast<int8_t>(quant::apply(*affine, x, 0, bounds.lo, bounds.hi))
                  : requantized(e.program, e.node, x);
  });
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& x = p.type(node.inputs[0]);
  if (x.elems() == 0) return {};
  const KernelInt elems{"elems", x.elems()};
  const Bounds bounds = clamp_bounds(node);
  const KernelStruct out{"f8k::Output",
                         {{"zero", p.type(node.outputs[0]).quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}};
  const KernelPointer from{node.inputs[0]};
  const KernelPointer to{node.outputs[0]};
  if (const auto affine = affine_of(node)) {
    std::vector<std::string> steps = shift_template_args(node, affine->shift);
    steps.insert(steps.end(), {"1", "0"});  // the second operand is a 0 that stands still: any byte times 0
    return {{.function = "f8k::affine_elements",
             .header = "core/affine.h",
             .template_args = steps,
             .args = {elems, affine_struct(*affine), out, from, from, to}}};
  }
  const quant::Rescale r = rescale(p, node);
  return {{.function = "f8k::requantize_elements",
           .header = "ops/requantize/requantize.kernel.h",
           .template_args = {},
           .args = {elems,
                    KernelStruct{"f8k::RequantizeInput",
                                 {{"zero", x.quant->zero}, {"multiplier", r.multiplier}, {"shift", r.shift}}},
                    out, from, to}}};
}

}  // namespace

extern const OpDef op_requantize;
constexpr OpDef op_requantize = {
    .name = "requantize",
    .traits = trait::fuses_clamp,
    .access = {.elementwise = true},
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .pack = pack,
    .calls = calls,
};
static_assert(complete(op_requantize));

}  // namespace fold8::ops
