// quantize: y = clamp(round_half_even(x / scale) + zero); scale and zero point are the result's type.
//
//   quantize %x [clamp=[lo,hi]]     f32 -> q8 (q32 for constants: a bias quantized in the graph)
#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_quantize;

namespace {

// exir's numbers for dtypes, as exported graphs write them.
constexpr int64_t kInt8 = 2;
constexpr int64_t kInt32 = 4;

Result<> import(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("input"));
  F8_TRY(const double scale, call.number("scale"));
  F8_TRY(const int64_t zero, call.integer("zero_point"));
  F8_TRY(const int64_t lo, call.integer("quant_min"));
  F8_TRY(const int64_t hi, call.integer("quant_max"));
  F8_TRY(const int64_t dtype, call.integer("dtype"));
  if (dtype != kInt8 && dtype != kInt32)
    return call.fail("F8-0303", "quantizes to a dtype other than int8")
        .note("supported: int8 activations and weights (quant_min -128 or -127, quant_max 127)");
  if (!std::isfinite(scale) || scale < 0x1p-100 || scale > 0x1p100)
    return call.fail("F8-0303", fmt::format("scale {} is not a usable positive number", scale))
        .note("calibrate the model on real inputs before convert_pt2e");
  if (dtype == kInt8 && (lo < -128 || hi > 127 || lo >= hi || zero < lo || zero > hi))
    return call.fail("F8-0303", fmt::format("range {}..{} with zero point {} is not one of int8", lo, hi, zero));

  Attrs attrs;
  if (dtype == kInt8 && (lo != -128 || hi != 127)) attrs.set("clamp", std::vector<int64_t>{lo, hi});
  F8_TRY(const ValueId y, call.emit(op_quantize, {x}, attrs));
  Type& type = call.program[y].type;
  type.elem = dtype == kInt8 ? Elem::i8 : Elem::i32;
  type.quant = Quant::per_tensor(scale, static_cast<int32_t>(zero));
  return ok;
}

constexpr Param kParams[] = {{"input"}, {"scale"}, {"zero_point"}, {"quant_min"}, {"quant_max"}, {"dtype"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.quantized_decomposed.quantize_per_tensor.default", kParams, import},
};

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_clamp(node));
  const Type& x = p.type(node.inputs[0]);
  if (x.elem != Elem::f32) return bad_operand(fmt::format("operand is {}; expected f32", elem_name(x.elem)));
  const bool wide = !node.outputs.empty() && p.type(node.outputs[0]).elem == Elem::i32;
  return std::vector{Type{wide ? Elem::i32 : Elem::i8, x.shape, std::nullopt}};
}

void evaluate(const Evaluation& e) {
  const Quant& q = *e.out_type(0).quant;
  const auto x = e.in[0]->as<float>();
  if (e.out_type(0).elem == Elem::i32) {
    for (size_t i = 0; i < x.size(); ++i) {
      const double scaled = std::nearbyint(static_cast<double>(x[i] * static_cast<float>(1.0 / q.scale()))) + q.zero;
      e.out[0]->as<int32_t>()[i] = scaled <= INT32_MIN   ? INT32_MIN
                                   : scaled >= INT32_MAX ? INT32_MAX
                                                         : static_cast<int32_t>(scaled);
    }
    return;
  }
  const Bounds bounds = clamp_bounds(e.node);
  for (size_t i = 0; i < x.size(); ++i)
    e.out[0]->as<int8_t>()[i] = quant::quantize(x[i], q.scale(), q.zero, bounds.lo, bounds.hi);
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  const Bounds bounds = clamp_bounds(node);
  return {
      {.function = "f8k::quantize",
       .header = "ops/quantize/quantize.kernel.h",
       .template_args = {},
       .args = {KernelInt{"elems", y.elems()}, KernelFloat{"inverse_scale", static_cast<float>(1.0 / y.quant->scale())},
                KernelStruct{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}},
                KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_quantize = {
    .name = "quantize",
    .traits = trait::converts_reals,
    .imports = kImports,
    .infer = infer,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_quantize));

}  // namespace fold8::ops
