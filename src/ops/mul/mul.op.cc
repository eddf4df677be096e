// mul: y = a * b, broadcast. ops/binary.h has its forms. A division by a constant is a mul by its reciprocal; by
// anything else, it can only stand in a chain that becomes a table.
#include <algorithm>

#include "ops/affine.h"
#include "ops/binary.h"
#include "ops/gain_shift.h"
#include "quant/affine.h"
#include "quant/product.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_mul;
extern const OpDef op_lut;

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
  if (!divisor.is_constant() || divisor.type.elem != Elem::f32) {
    Attrs attrs;
    attrs.set("function", std::string("div"));
    F8_CHECK(call.emit(op_lut, {a, b}, attrs));
    return ok;
  }
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
    {"torch.ops.aten.multiply.Tensor", kParams, import_mul},
    {"torch.ops.aten.multiply_.Tensor", kParams, import_mul},
    {"torch.ops.aten.multiply.Scalar", kParams, import_mul},
    {"torch.ops.aten.multiply_.Scalar", kParams, import_mul},
    {"torch.ops.aten.divide.Tensor", kParams, import_div},
    {"torch.ops.aten.divide_.Tensor", kParams, import_div},
    {"torch.ops.aten.divide.Scalar", kParams, import_div},
    {"torch.ops.aten.divide_.Scalar", kParams, import_div},
    {"torch.ops.aten.true_divide.Tensor", kParams, import_div},
    {"torch.ops.aten.true_divide_.Tensor", kParams, import_div},
    {"torch.ops.aten.true_divide.Scalar", kParams, import_div},
    {"torch.ops.aten.true_divide_.Scalar", kParams, import_div},
};

Result<bool> simplify(Program& p, Node& node) {
  return simplify_constant_operand(
      p, node, [](double a) { return GainShift{a, 0}; }, [](double b) { return GainShift{b, 0}; });
}

std::optional<std::string> check_product(double a, double b, double y) {
  if (quant::make_rescale(a * b / y)) return std::nullopt;
  return fmt::format("scale {} * scale {} / result scale {} is not below 2^{}", a, b, y, quant::kMaxLeftShift);
}

Result<> integerize(Program& p, Node& node) { return integerize_binary(p, node, check_product); }

quant::Rescale rescale(const Program& p, const Node& node) {
  return *quant::make_rescale(p.type(node.inputs[0]).quant->scale() * p.type(node.inputs[1]).quant->scale() /
                              p.type(node.outputs[0]).quant->scale());
}

// ---- the packed form: product=[high,low,offset,below,shift], quant/product.h; or why="..."

std::optional<quant::Product> product_of(const Node& node) {
  if (!node.attrs.has("product")) return std::nullopt;
  const auto& list = node.attrs.integers("product");
  const auto at = [&](size_t i) { return static_cast<int32_t>(list[i]); };
  return quant::Product{at(0), at(1), at(2), at(3), at(4)};
}

Result<> check_product_form(const Node& node) {
  const Attr* attr = node.attrs.find("product");
  if (attr == nullptr) return ok;
  const auto* list = std::get_if<std::vector<int64_t>>(attr);
  const auto is_int32 = [](int64_t x) { return x >= INT32_MIN && x <= INT32_MAX; };
  if (list == nullptr || list->size() != 5 || !std::ranges::all_of(*list, is_int32) ||
      (*list)[4] < quant::kLeastAffineShift || (*list)[4] > quant::kMostAffineShift)
    return bad_operand(fmt::format("product=[high,low,offset,below,shift] needs int32 and {} <= shift <= {}",
                                   quant::kLeastAffineShift, quant::kMostAffineShift));
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(check_product_form(node));
  return infer_binary(p, node, check_product);
}

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) {
  const Quant& qa = *p.type(node.inputs[0]).quant;
  const Quant& qb = *p.type(node.inputs[1]).quant;
  const Quant& qy = *p.type(node.outputs[0]).quant;
  const Bounds bounds = clamp_bounds(node);
  const auto [least, most] = std::minmax({(-128 - qa.zero) * (-128 - qb.zero), (-128 - qa.zero) * (127 - qb.zero),
                                          (127 - qa.zero) * (-128 - qb.zero), (127 - qa.zero) * (127 - qb.zero)});
  const quant::Rescale r = rescale(p, node);
  quant::RoundedProduct product{least, {}, qa.scale() * qb.scale() / qy.scale(), qy.zero, bounds.lo, bounds.hi};
  for (int32_t x = least; x <= most; ++x)
    product.y.push_back(static_cast<int8_t>(quant::clamp(int64_t{qy.zero} + quant::apply(r, x), bounds.lo, bounds.hi)));
  if (const auto found = quant::find_product(product)) {
    node.attrs.set("product", std::vector<int64_t>{found->high, found->low, found->offset, found->below, found->shift});
  } else {
    node.attrs.set("why", std::string("no integers found that round every product alike in one shift"));
  }
  return ok;
}

void evaluate(const Evaluation& e) {
  const quant::Rescale r = rescale(e.program, e.node);
  const auto product = product_of(e.node);
  const Bounds bounds = clamp_bounds(e.node);
  const int32_t zero = e.out_type(0).quant->zero;
  evaluate_binary(e, [&](int32_t a, int32_t b) {
    return product ? quant::apply(*product, a * b, bounds.lo, bounds.hi) - zero : quant::apply(r, a * b);
  });
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  if (p.type(node.outputs[0]).elems() == 0) return {};
  const int32_t a_zero = p.type(node.inputs[0]).quant->zero;
  const int32_t b_zero = p.type(node.inputs[1]).quant->zero;
  if (const auto f = product_of(node)) {
    const KernelStruct product{"f8k::Product",
                               {{"a_zero", a_zero},
                                {"b_zero", b_zero},
                                {"high", f->high},
                                {"low", f->low},
                                {"offset", f->offset},
                                {"below", f->below}}};
    return {binary_call(p, node, "f8k::product", "core/product.h", shift_template_args(node, f->shift), product,
                        /*swapped=*/false)};
  }
  const quant::Rescale r = rescale(p, node);
  const KernelStruct mul{"f8k::Mul",
                         {{"a_zero", a_zero}, {"b_zero", b_zero}, {"multiplier", r.multiplier}, {"shift", r.shift}}};
  return {binary_call(p, node, "f8k::mul", "ops/mul/mul.kernel.h", {}, mul, /*swapped=*/false)};
}

}  // namespace

constexpr OpDef op_mul = {
    .name = "mul",
    .traits = trait::fuses_clamp,
    .access = {.elementwise = true},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .real = [](const Node&, std::span<const double> x) { return x[0] * x[1]; },
    .evaluate = evaluate,
    .permute_through = permute_binary,
    .simplify = simplify,
    .pack = pack,
    .calls = calls,
};
static_assert(complete(op_mul));

}  // namespace fold8::ops
