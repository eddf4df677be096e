// clamp: y = min(max(x, min), max). relu, relu6 and hardtanh are clamps.
//
//   torch   clamp %x min= max=       reals, infinite where there is no bound
//   int8    clamp %x min= max=       integers under the operand's parameters, which the result shares
#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_clamp;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Result<> emit(ImportCall& call, const char* operand, double lo, double hi) {
  F8_TRY(const ValueId x, call.tensor(operand));
  if (!(lo <= hi)) return call.fail("F8-0301", fmt::format("lower bound {} is not below upper bound {}", lo, hi));
  Attrs attrs;
  attrs.set("min", lo);
  attrs.set("max", hi);
  F8_CHECK(call.emit(op_clamp, {x}, attrs));
  return ok;
}

Result<> import_relu(ImportCall& call) { return emit(call, "self", 0, kInfinity); }
Result<> import_relu6(ImportCall& call) { return emit(call, "self", 0, 6); }

Result<> import_hardtanh(ImportCall& call) {
  F8_TRY(const double lo, call.number("min_val"));
  F8_TRY(const double hi, call.number("max_val"));
  return emit(call, "self", lo, hi);
}

Result<> import_clamp(ImportCall& call) {
  F8_TRY(const double lo, call.number_or("min", -kInfinity));
  F8_TRY(const double hi, call.number_or("max", kInfinity));
  return emit(call, "self", lo, hi);
}

constexpr Param kSelf[] = {{"self"}};
constexpr Param kHardtanh[] = {{"self"}, {"min_val", "-1"}, {"max_val", "1"}};
constexpr Param kClamp[] = {{"self"}, {"min", "null"}, {"max", "null"}};
constexpr Param kClampMin[] = {{"self"}, {"min"}, {"max", "null"}};
constexpr Param kClampMax[] = {{"self"}, {"min", "null"}, {"max"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.relu.default", kSelf, import_relu},
    {"torch.ops.aten.relu_.default", kSelf, import_relu},
    {"torch.ops.aten.relu6.default", kSelf, import_relu6},
    {"torch.ops.aten.relu6_.default", kSelf, import_relu6},
    {"torch.ops.aten.hardtanh.default", kHardtanh, import_hardtanh},
    {"torch.ops.aten.hardtanh_.default", kHardtanh, import_hardtanh},
    {"torch.ops.aten.clamp.default", kClamp, import_clamp},
    {"torch.ops.aten.clamp_.default", kClamp, import_clamp},
    {"torch.ops.aten.clip.default", kClamp, import_clamp},
    {"torch.ops.aten.clip_.default", kClamp, import_clamp},
    {"torch.ops.aten.clamp_min.default", kClampMin, import_clamp},
    {"torch.ops.aten.clamp_min_.default", kClampMin, import_clamp},
    {"torch.ops.aten.clamp_max.default", kClampMax, import_clamp},
    {"torch.ops.aten.clamp_max_.default", kClampMax, import_clamp},
};

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  for (const char* bound : {"min", "max"})
    if (!node.attrs.has(bound)) return bad_operand(fmt::format("needs {}=", bound));
  const Type& x = p.type(node.inputs[0]);
  return std::vector{Type{x.elem, x.shape, std::nullopt}};
}

Result<> integerize(Program& p, Node& node) {
  const Quant& q = *p.type(node.outputs[0]).quant;
  for (const char* bound : {"min", "max"}) node.attrs.set(bound, int64_t{quantized_bound(node.attrs.number(bound), q)});
  return ok;
}

double real(const Node& node, std::span<const double> x) {
  return std::min(std::max(x[0], node.attrs.number("min")), node.attrs.number("max"));
}

void evaluate(const Evaluation& e) {
  const auto lo = static_cast<int32_t>(e.node.attrs.integer("min"));
  const auto hi = static_cast<int32_t>(e.node.attrs.integer("max"));
  const auto x = e.in[0]->as<int8_t>();
  for (size_t i = 0; i < x.size(); ++i) e.out[0]->as<int8_t>()[i] = static_cast<int8_t>(quant::clamp(x[i], lo, hi));
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  return {{.function = "f8k::clamp_elements",
           .header = "core/clamp_elements.h",
           .template_args = {},
           .args = {KernelInt{"elems", p.type(node.outputs[0]).elems()}, KernelInt{"lo", node.attrs.integer("min")},
                    KernelInt{"hi", node.attrs.integer("max")}, KernelPointer{node.inputs[0]},
                    KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_clamp = {
    .name = "clamp",
    .quant = {.result = Parameters::shared},
    .access = {.elementwise = true},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .real = real,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_clamp));

}  // namespace fold8::ops
