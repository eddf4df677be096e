#include "ops/binary.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "ops/affine.h"
#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;

namespace {

constexpr size_t kMaxRank = 5;  // after dimensions that are walked alike have become one

// ---- shapes

// Elements between neighbours along each dimension of y; 0 where the operand stands still.
std::vector<int64_t> strides_in(const Shape& shape, const Shape& y) {
  const std::vector<int64_t> own = dense_strides(shape);
  const size_t missing = y.size() - shape.size();
  std::vector<int64_t> strides(y.size(), 0);
  for (size_t i = missing; i < y.size(); ++i)
    if (shape[i - missing] != 1) strides[i] = own[i - missing];
  return strides;
}

Walk walk(const Program& p, const Node& node) {
  return walk_of(p.type(node.inputs[0]).shape, p.type(node.inputs[1]).shape, p.type(node.outputs[0]).shape);
}

// ---- int8

double alpha_of(const Node& node) { return node.attrs.has("alpha") ? node.attrs.number("alpha") : 1; }

Result<> check_alpha(const Node& node) {
  const Attr* attr = node.attrs.find("alpha");
  if (attr == nullptr) return ok;
  const auto* alpha = std::get_if<double>(attr);
  if (alpha == nullptr || !(*alpha > 0) || !std::isfinite(*alpha)) return bad_operand("alpha= needs a real above 0");
  return ok;
}

std::optional<std::string> unfit(const Program& p, const Node& node, ScaleCheck check) {
  for (const ValueId id : {node.inputs[0], node.inputs[1], node.outputs[0]}) {
    const Type& type = p.type(id);
    if (!type.is_q8() || !type.quant->is_per_tensor())
      return fmt::format("%{} is not int8 with one scale and zero point", p[id].name);
  }
  if (too_many_dimensions(walk(p, node)))
    return fmt::format("broadcasts {} and {} along too many dimensions; supported: up to {}",
                       shape_text(p.type(node.inputs[0]).shape), shape_text(p.type(node.inputs[1]).shape), kMaxRank);
  return check(p.type(node.inputs[0]).quant->scale(), alpha_of(node) * p.type(node.inputs[1]).quant->scale(),
               p.type(node.outputs[0]).quant->scale());
}

}  // namespace

// ---- import

Result<ValueId> import_operand(ImportCall& call, std::string_view name) {
  if (std::holds_alternative<ValueId>(call.args.find(name)->second)) return call.tensor(name);
  F8_TRY(const double number, call.number(name));
  const std::vector<float> value = {static_cast<float>(number)};
  return call.program.add_constant(call.name + ".scalar", f32({}), make_tensor(Elem::f32, {}, value));
}

Result<> import_sum(ImportCall& call, std::string_view a, std::string_view b, const OpDef& sum,
                    const OpDef& difference) {
  F8_TRY(const double alpha, call.number("alpha"));
  F8_TRY(const ValueId left, import_operand(call, a));
  F8_TRY(const ValueId right, import_operand(call, b));
  if (alpha == 0 || !std::isfinite(alpha)) return call.fail("F8-0301", fmt::format("multiplies '{}' by {}", b, alpha));
  Attrs attrs;
  if (std::abs(alpha) != 1) attrs.set("alpha", std::abs(alpha));
  F8_CHECK(call.emit(alpha < 0 ? difference : sum, {left, right}, attrs));
  return ok;
}

// ---- shapes and checks

Walk walk_of(const Shape& a, const Shape& b, const Shape& y) {
  const std::vector<int64_t> sa = strides_in(a, y);
  const std::vector<int64_t> sb = strides_in(b, y);
  std::vector<Walk::Dim> dims;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == 1) continue;
    const Walk::Dim dim{y[i], sa[i], sb[i]};
    if (!dims.empty() && dims.back().a == dim.a * dim.size && dims.back().b == dim.b * dim.size) {
      dims.back() = {dims.back().size * dim.size, dim.a, dim.b};
    } else {
      dims.push_back(dim);
    }
  }
  if (dims.empty()) dims.push_back({1, 1, 1});
  const Walk::Dim run = dims.back();
  dims.pop_back();
  return {dims, run};
}

bool too_many_dimensions(const Walk& walk) { return walk.around.size() + 1 > kMaxRank; }

Result<std::vector<Type>> infer_binary(const Program& p, const Node& node, ScaleCheck check) {
  F8_CHECK(expect_operands(node, 2, 2));
  F8_CHECK(check_clamp(node));
  const Type& a = p.type(node.inputs[0]);
  const Type& b = p.type(node.inputs[1]);
  const auto shape = broadcast(a.shape, b.shape);
  if (!shape)
    return bad_operand(fmt::format("shapes {} and {} do not broadcast", shape_text(a.shape), shape_text(b.shape)));
  const Elem elem = p.form == Form::torch ? Elem::f32 : Elem::i8;
  for (size_t i = 0; i < 2; ++i)
    if (p.type(node.inputs[i]).elem != elem)
      return bad_operand(
          fmt::format("operand {} is {}; expected {}", i, elem_name(p.type(node.inputs[i]).elem), elem_name(elem)));
  if (p.form != Form::torch && !node.outputs.empty() && p.type(node.outputs[0]).shape == *shape)
    if (const auto complaint = unfit(p, node, check)) return bad_operand(*complaint);
  return std::vector{Type{elem, *shape, std::nullopt}};
}

Result<> integerize_binary(Program& p, Node& node, ScaleCheck check) {
  if (const auto complaint = unfit(p, node, check)) return not_integer(p, node, *complaint);
  return ok;
}

std::optional<std::vector<int64_t>> permute_binary(Program& p, Node& node, const std::vector<int64_t>& dims) {
  for (ValueId id : node.inputs)
    if (!p[id].is_constant() ? p.type(id).shape.size() != dims.size() : p.type(id).shape.size() > dims.size())
      return std::nullopt;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (!p[id].is_constant()) continue;
    Value full = p[id];
    const size_t missing = dims.size() - full.type.shape.size();
    full.type.shape.insert(full.type.shape.begin(), missing, 1);
    if (full.type.quant && !full.type.quant->is_per_tensor()) full.type.quant->axis += static_cast<int>(missing);
    auto data = std::make_shared<Tensor>(*full.constant);
    data->shape = full.type.shape;
    node.inputs.set(i, add_unpermuted(p, p.add_constant(full.name, full.type, std::move(data)), dims));
  }
  return dims;
}

// ---- meaning

Indices broadcast_indices(const Shape& a, const Shape& b, const Shape& y) {
  const std::vector<int64_t> sa = strides_in(a, y);
  const std::vector<int64_t> sb = strides_in(b, y);
  Indices at;
  for (int64_t flat = 0; flat < elem_count(y); ++flat) {
    int64_t from_a = 0;
    int64_t from_b = 0;
    int64_t rest = flat;
    for (size_t i = y.size(); i-- > 0; rest /= y[i]) {
      from_a += rest % y[i] * sa[i];
      from_b += rest % y[i] * sb[i];
    }
    at.a.push_back(static_cast<size_t>(from_a));
    at.b.push_back(static_cast<size_t>(from_b));
  }
  return at;
}

// ---- device

KernelStruct broadcast_struct(Walk walk) {
  KernelStruct shape{"f8k::BroadcastShape", {{"run", walk.run.size}}};
  walk.around.insert(walk.around.begin(), kMaxRank - 1 - walk.around.size(), {1, 0, 0});
  for (const Walk::Dim& dim : walk.around) shape.fields.push_back({"size", dim.size});
  for (const Walk::Dim& dim : walk.around) shape.fields.push_back({"a", dim.a});
  for (const Walk::Dim& dim : walk.around) shape.fields.push_back({"b", dim.b});
  return shape;
}

KernelCall binary_call(const Program& p, const Node& node, const std::string& function, const std::string& header,
                       std::vector<std::string> signs, KernelStruct arithmetic, bool swapped) {
  const size_t first = swapped ? 1 : 0;
  const ValueId a = node.inputs[first];
  const ValueId b = node.inputs[1 - first];
  const Type& y = p.type(node.outputs[0]);
  const Walk walk = walk_of(p.type(a).shape, p.type(b).shape, y.shape);
  const Bounds bounds = clamp_bounds(node);
  KernelCall call{function + "_elements", header, std::move(signs), {KernelInt{"elems", walk.run.size}}};
  if (!walk.around.empty()) {
    call.function = function + "_broadcast";
    call.args = {broadcast_struct(walk)};
  }
  for (int64_t step : {walk.run.a, walk.run.b}) call.template_args.push_back(std::to_string(step));
  call.args.push_back(std::move(arithmetic));
  call.args.push_back(KernelStruct{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}});
  for (ValueId id : {a, b, node.outputs[0]}) call.args.push_back(KernelPointer{id});
  return call;
}

std::optional<KernelCall> binary_rows(const Program& p, const Node& node, const std::vector<KernelCall>& calls) {
  constexpr std::string_view kPrefix = "f8k::", kSuffix = "_elements";
  const Type& y = p.type(node.outputs[0]);
  for (ValueId id : node.inputs)
    if (p[id].is_constant() || p.type(id).shape != y.shape) return std::nullopt;
  if (calls.size() != 1) return std::nullopt;
  KernelCall call = calls[0];
  require(call.function.starts_with(kPrefix) && call.function.ends_with(kSuffix), "equal shapes are one run");
  call.function.replace(call.function.size() - kSuffix.size(), kSuffix.size(), "Rows");
  char& initial = call.function[kPrefix.size()];
  initial = static_cast<char>(std::toupper(static_cast<unsigned char>(initial)));
  for (KernelArg& arg : call.args) {
    const int64_t width = y.elems() / y.shape[1];
    if (auto* elems = std::get_if<KernelInt>(&arg)) elems->value = width;
    if (const auto* pointer = std::get_if<KernelPointer>(&arg)) arg = KernelRows{pointer->value, y.shape[1], width};
  }
  call.is_object = true;
  return call;
}

// ---- add and sub

namespace {

constexpr int kLeftShift = 20;

// |x - z| <= 255 < 2^8, so (x - z) << 20 takes 28 bits; each scaled by at most 1/2, their sum takes 28 bits too.
struct SumRescales {
  quant::Rescale a, b, y;
};

double sum_scale(double a, double b, double y) { return 2 * std::max(a, b) / (std::ldexp(1.0, kLeftShift) * y); }

std::optional<std::string> check_sum(double a, double b, double y) {
  if (quant::make_rescale(sum_scale(a, b, y))) return std::nullopt;
  return fmt::format("scales {} and {} are too large for a result of scale {}", a, b, y);
}

SumRescales sum_rescales(const Program& p, const Node& node) {
  const double a = p.type(node.inputs[0]).quant->scale();
  const double b = alpha_of(node) * p.type(node.inputs[1]).quant->scale();
  const double twice = 2 * std::max(a, b);
  return {*quant::make_rescale(a / twice), *quant::make_rescale(b / twice),
          *quant::make_rescale(sum_scale(a, b, p.type(node.outputs[0]).quant->scale()))};
}

}  // namespace

Result<std::vector<Type>> infer_sum(const Program& p, const Node& node) {
  F8_CHECK(check_affine(node));
  F8_CHECK(check_alpha(node));
  return infer_binary(p, node, check_sum);
}
Result<> integerize_sum(Program& p, Node& node) { return integerize_binary(p, node, check_sum); }

namespace {

// (a - za, b - zb) -> y - zy
class SumRule {
 public:
  SumRule(const Program& p, const Node& node, int32_t sign_of_b) : r_(sum_rescales(p, node)), sign_(sign_of_b) {}
  int32_t operator()(int32_t a, int32_t b) const {
    const int32_t scaled_a = quant::apply(r_.a, a * (1 << kLeftShift));
    const int32_t scaled_b = quant::apply(r_.b, b * (1 << kLeftShift));
    return quant::apply(r_.y, scaled_a + sign_ * scaled_b);
  }

 private:
  SumRescales r_;
  int32_t sign_;
};

// The values that an operand can have.
std::vector<int8_t> values_of(const Value& operand) {
  if (!operand.is_constant()) return quant::all_int8();
  const auto data = operand.constant->as<int8_t>();
  const std::set<int8_t> values(data.begin(), data.end());
  return {values.begin(), values.end()};
}

quant::RoundedSum rounded_sum(const Program& p, const Node& node, int32_t sign_of_b) {
  const Value& a = p[node.inputs[0]];
  const Value& b = p[node.inputs[1]];
  const Quant& qa = *a.type.quant;
  const Quant& qb = *b.type.quant;
  const Quant& qy = *p.type(node.outputs[0]).quant;
  const SumRule rule(p, node, sign_of_b);
  const Bounds bounds = clamp_bounds(node);
  quant::RoundedSum sum{values_of(a), values_of(b), {}, qa.scale() / qy.scale(), sign_of_b * alpha_of(node) * qb.scale() / qy.scale(), 0,
                        bounds.lo,    bounds.hi};
  sum.intercept = qy.zero - sum.slope_a * qa.zero - sum.slope_b * qb.zero;
  for (const int8_t x : sum.a)
    for (const int8_t z : sum.b)
      sum.y.push_back(
          static_cast<int8_t>(quant::clamp(int64_t{qy.zero} + rule(x - qa.zero, z - qb.zero), bounds.lo, bounds.hi)));
  return sum;
}

}  // namespace

Result<> pack_sum(Program& p, Node& node, int32_t sign_of_b) {
  set_affine(node, quant::find_affine(rounded_sum(p, node, sign_of_b)));
  return ok;
}

void evaluate_sum(const Evaluation& e, int32_t sign_of_b) {
  if (const auto affine = affine_of(e.node)) {
    const int32_t za = e.in_type(0).quant->zero;
    const int32_t zb = e.in_type(1).quant->zero;
    const int32_t zy = e.out_type(0).quant->zero;
    const Bounds bounds = clamp_bounds(e.node);
    evaluate_binary(
        e, [&](int32_t a, int32_t b) { return quant::apply(*affine, a + za, b + zb, bounds.lo, bounds.hi) - zy; });
  } else {
    evaluate_binary(e, SumRule(e.program, e.node, sign_of_b));
  }
}

// The kernel's first operand is the one of the larger scale: its rescale by 1/2 is a shift.
std::vector<KernelCall> calls_sum(const Program& p, const Node& node, int32_t sign_of_b) {
  if (p.type(node.outputs[0]).elems() == 0) return {};
  if (const auto affine = affine_of(node))
    return {binary_call(p, node, "f8k::affine", "core/affine.h", shift_template_args(node, affine->shift),
                        affine_struct(*affine), /*swapped=*/false)};
  const Quant& a = *p.type(node.inputs[0]).quant;
  const Quant& b = *p.type(node.inputs[1]).quant;
  const SumRescales r = sum_rescales(p, node);
  const bool swapped = alpha_of(node) * b.scale() > a.scale();
  const quant::Rescale small = swapped ? r.a : r.b;
  std::vector<std::string> signs = {"1", std::to_string(sign_of_b)};
  if (swapped) std::swap(signs[0], signs[1]);
  const KernelStruct sum{"f8k::Sum",
                         {{"big_zero", swapped ? b.zero : a.zero},
                          {"small_zero", swapped ? a.zero : b.zero},
                          {"small_multiplier", small.multiplier},
                          {"small_shift", small.shift},
                          {"multiplier", r.y.multiplier},
                          {"shift", r.y.shift}}};
  return {binary_call(p, node, "f8k::sum", "ops/add/add.kernel.h", std::move(signs), sum, swapped)};
}

}  // namespace fold8::ops
