// requantize: the same reals under another scale and zero point. Made by passes: from a dequantize that feeds a
// quantize, and where an op needs operands of equal parameters.
//
//   requantize %x [clamp=[lo,hi]]      q8 -> q8
#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;

namespace {

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_clamp(node));
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

void evaluate(const Evaluation& e) {
  const quant::Rescale r = rescale(e.program, e.node);
  const Bounds bounds = clamp_bounds(e.node);
  const int32_t zx = e.in_type(0).quant->zero;
  const int64_t zy = e.out_type(0).quant->zero;
  const auto x = e.in[0]->as<int8_t>();
  for (size_t i = 0; i < x.size(); ++i)
    e.out[0]->as<int8_t>()[i] =
        static_cast<int8_t>(quant::clamp(zy + quant::apply(r, x[i] - zx), bounds.lo, bounds.hi));
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& x = p.type(node.inputs[0]);
  const Type& y = p.type(node.outputs[0]);
  const quant::Rescale r = rescale(p, node);
  const Bounds bounds = clamp_bounds(node);
  return {{.function = "f8k::requantize_elements",
           .header = "ops/requantize/requantize.kernel.h",
           .template_args = {},
           .args = {KernelInt{"elems", x.elems()},
                    KernelStruct{"f8k::RequantizeInput",
                                 {{"zero", x.quant->zero}, {"multiplier", r.multiplier}, {"shift", r.shift}}},
                    KernelStruct{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}},
                    KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

extern const OpDef op_requantize;
constexpr OpDef op_requantize = {
    .name = "requantize",
    .traits = trait::is_requantize | trait::fuses_clamp | trait::elementwise,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_requantize));

}  // namespace fold8::ops
