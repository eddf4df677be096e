// mul: y = a * b, broadcast. ops/binary.h has its forms. A division by a constant is a mul by its reciprocal.
#include <algorithm>

#include "ops/binary.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_mul;

namespace {

Result<> import_mul(ImportCall& call) {
  F8_TRY(const ValueId a, import_operand(call, "self"));
  F8_TRY(const ValueId b, import_operand(call, "other"));
  F8_CHECK(call.emit(op_mul, {a, b}, {}));
  return ok;
}

Result<> import_div(ImportCall& call) {
  F8_TRY(const ValueId a, import_operand(call, "self"));
  F8_TRY(const ValueId b, import_operand(call, "other"));
  const Value divisor = call.program[b];
  if (!divisor.is_constant() || divisor.type.elem != Elem::f32)
    return call.fail("F8-0301", fmt::format("divides by %{}, which is computed at run time; supported: float constants",
                                            divisor.name));
  std::vector<float> reciprocals;
  for (float v : divisor.constant->as<float>()) reciprocals.push_back(1.0f / v);
  if (std::ranges::any_of(reciprocals, [](float v) { return !std::isfinite(v); }))
    return call.fail("F8-0301", fmt::format("divides by %{}, which has a 0 in it", divisor.name));
  const ValueId inverse = call.program.add_constant(divisor.name + ".reciprocal", divisor.type,
                                                    make_tensor(Elem::f32, divisor.type.shape, reciprocals));
  F8_CHECK(call.emit(op_mul, {a, inverse}, {}));
  return ok;
}

constexpr Param kParams[] = {{"self"}, {"other"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.mul.Tensor", kParams, import_mul},  {"torch.ops.aten.mul.Scalar", kParams, import_mul},
    {"torch.ops.aten.mul_.Tensor", kParams, import_mul}, {"torch.ops.aten.mul_.Scalar", kParams, import_mul},
    {"torch.ops.aten.div.Tensor", kParams, import_div},  {"torch.ops.aten.div.Scalar", kParams, import_div},
    {"torch.ops.aten.div_.Tensor", kParams, import_div}, {"torch.ops.aten.div_.Scalar", kParams, import_div},
};

std::optional<std::string> check_product(double a, double b, double y) {
  if (quant::make_rescale(a * b / y)) return std::nullopt;
  return fmt::format("scale {} * scale {} / result scale {} is not below 2^{}", a, b, y, quant::kMaxLeftShift);
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) { return infer_binary(p, node, check_product); }
Result<> integerize(Program& p, Node& node) { return integerize_binary(p, node, check_product); }

quant::Rescale rescale(const Program& p, const Node& node) {
  return *quant::make_rescale(p.type(node.inputs[0]).quant->scale() * p.type(node.inputs[1]).quant->scale() /
                              p.type(node.outputs[0]).quant->scale());
}

void evaluate(const Evaluation& e) {
  const quant::Rescale r = rescale(e.program, e.node);
  evaluate_binary(e, [&](int32_t a, int32_t b) { return quant::apply(r, a * b); });
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  if (p.type(node.outputs[0]).elems() == 0) return {};
  const quant::Rescale r = rescale(p, node);
  const KernelStruct mul{"f8k::Mul",
                         {{"a_zero", p.type(node.inputs[0]).quant->zero},
                          {"b_zero", p.type(node.inputs[1]).quant->zero},
                          {"multiplier", r.multiplier},
                          {"shift", r.shift}}};
  return {binary_call(p, node, "f8k::mul", "ops/mul/mul.kernel.h", {}, mul, /*swapped=*/false)};
}

}  // namespace

constexpr OpDef op_mul = {
    .name = "mul",
    .traits = trait::fuses_clamp | trait::elementwise,
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .permute_through = permute_binary,
    .calls = calls,
};
static_assert(complete(op_mul));

}  // namespace fold8::ops
