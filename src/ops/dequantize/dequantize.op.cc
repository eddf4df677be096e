// dequantize: y = (x - zero) * scale[c]; scale and zero point are the operand's type.
//
//   dequantize %x      q8 (q32 for a constant bias) -> f32
#include <algorithm>

#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_dequantize;

namespace {

bool usable(double scale) { return std::isfinite(scale) && scale >= 0x1p-140 && scale <= 0x1p100; }

// The operand under the node's parameters. A constant becomes a value of its own (it may be read under several scales);
// an int8 input of the graph takes the parameters; an activation must have them already.
Result<ValueId> typed_operand(ImportCall& call, ValueId x, const Quant& quant) {
  for (double scale : quant.scales)
    if (!usable(scale))
      return call.fail("F8-0303", fmt::format("scale {} is not a usable positive number", scale))
          .note("calibrate the model on real inputs before convert_pt2e");
  Program& p = call.program;
  Type type = p.type(x);
  if (type.elem != Elem::i8 && type.elem != Elem::i32)
    return call.fail("F8-0303",
                     fmt::format("%{} is {}; supported: int8 data and int32 biases", p[x].name, elem_name(type.elem)));
  if (p[x].is_constant()) {
    type.quant = quant;
    return p.add_constant(p[x].name, type, p[x].constant);
  }
  if (type.elem != Elem::i8)
    return call.fail("F8-0303", fmt::format("%{} is an int32 activation; supported: int8", p[x].name));
  if (!type.quant) p[x].type.quant = quant;
  if (p.type(x).quant != quant)
    return call.fail(
        "F8-0303",
        fmt::format("%{} was quantized with scale {} and zero point {}, and is read with scale {} and zero point {}",
                    p[x].name, p.type(x).quant->scales[0], p.type(x).quant->zero, quant.scales[0], quant.zero));
  return x;
}

Result<> import_per_tensor(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("input"));
  F8_TRY(const double scale, call.number("scale"));
  F8_TRY(const int64_t zero, call.integer("zero_point"));
  if (zero != static_cast<int32_t>(zero))
    return call.fail("F8-0303", fmt::format("zero point {} is not an int32", zero));
  F8_TRY(const ValueId typed, typed_operand(call, x, Quant::per_tensor(scale, static_cast<int32_t>(zero))));
  F8_CHECK(call.emit(op_dequantize, {typed}, {}));
  return ok;
}

Result<> import_per_channel(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("input"));
  F8_TRY(const ValueId scales, call.tensor("scales"));
  F8_TRY(const ValueId zeros, call.optional_tensor("zero_points"));
  F8_TRY(const int64_t axis, call.integer("axis"));
  const Program& p = call.program;
  const auto dim = dimension(axis, p.type(x).shape.size());
  const Value& s = p[scales];
  if (!dim)
    return call.fail("F8-0303", fmt::format("axis {} is not a dimension of {}", axis, shape_text(p.type(x).shape)));
  if (!s.is_constant() || s.type.elem != Elem::f32 || s.type.shape != Shape{p.type(x).shape[*dim]})
    return call.fail("F8-0303", fmt::format("scales %{} must be {} float32 constants", s.name, p.type(x).shape[*dim]));
  if (zeros != ValueId::none) {
    const Value& z = p[zeros];
    const bool all_zero =
        z.is_constant() && std::ranges::all_of(z.constant->bytes, [](std::byte b) { return b == std::byte{0}; });
    if (!all_zero)
      return call.fail("F8-0303",
                       fmt::format("zero points %{} are not all 0; supported: symmetric per-channel weights", z.name));
  }
  Quant quant{{}, 0, static_cast<int>(*dim)};
  for (float scale : s.constant->as<float>()) quant.scales.push_back(static_cast<double>(scale));
  F8_TRY(const ValueId typed, typed_operand(call, x, quant));
  F8_CHECK(call.emit(op_dequantize, {typed}, {}));
  return ok;
}

constexpr Param kPerTensor[] = {{"input"},     {"scale"}, {"zero_point"},       {"quant_min"},
                                {"quant_max"}, {"dtype"}, {"out_dtype", "null"}};
constexpr Param kPerChannel[] = {{"input"},     {"scales"}, {"zero_points", "null"}, {"axis"}, {"quant_min"},
                                 {"quant_max"}, {"dtype"},  {"out_dtype", "null"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.quantized_decomposed.dequantize_per_tensor.default", kPerTensor, import_per_tensor},
    {"torch.ops.quantized_decomposed.dequantize_per_channel.default", kPerChannel, import_per_channel},
};

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  const Type& x = p.type(node.inputs[0]);
  if (!x.quant) return bad_operand("operand has no scale and zero point");
  return std::vector{f32(x.shape)};
}

void evaluate(const Evaluation& e) {
  const Quant& q = *e.in_type(0).quant;
  require(e.in_type(0).is_q8() && q.is_per_tensor(), "only int8 activations are dequantized at run time");
  const auto x = e.in[0]->as<int8_t>();
  for (size_t i = 0; i < x.size(); ++i)
    e.out[0]->as<float>()[i] = static_cast<float>(x[i] - q.zero) * static_cast<float>(q.scale());
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& x = p.type(node.inputs[0]);
  return {{.function = "f8k::dequantize",
           .header = "ops/dequantize/dequantize.kernel.h",
           .template_args = {},
           .args = {KernelInt{"elems", x.elems()}, KernelFloat{"scale", static_cast<float>(x.quant->scale())},
                    KernelInt{"zero", x.quant->zero}, KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_dequantize = {
    .name = "dequantize",
    .traits = trait::converts_reals,
    .imports = kImports,
    .infer = infer,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_dequantize));

}  // namespace fold8::ops
