// sub: y = a - b, broadcast. ops/binary.h has its forms; the kernel is add's with another sign.
#include "ops/binary.h"
#include "ops/gain_shift.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_add;
extern const OpDef op_sub;

namespace {

Result<> import_sub(ImportCall& call) { return import_sum(call, "self", "other", op_sub, op_add); }
Result<> import_rsub(ImportCall& call) { return import_sum(call, "other", "self", op_sub, op_add); }

constexpr Param kParams[] = {{"self"}, {"other"}, {"alpha", "1"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.sub.Tensor", kParams, import_sub},   {"torch.ops.aten.sub.Scalar", kParams, import_sub},
    {"torch.ops.aten.sub_.Tensor", kParams, import_sub},  {"torch.ops.aten.sub_.Scalar", kParams, import_sub},
    {"torch.ops.aten.rsub.Tensor", kParams, import_rsub}, {"torch.ops.aten.rsub.Scalar", kParams, import_rsub},
    {"torch.ops.aten.subtract.Tensor", kParams, import_sub},
    {"torch.ops.aten.subtract_.Tensor", kParams, import_sub},
    {"torch.ops.aten.subtract.Scalar", kParams, import_sub},
    {"torch.ops.aten.subtract_.Scalar", kParams, import_sub},
};

Result<bool> simplify(Program& p, Node& node) {
  return simplify_constant_operand(
      p, node, [](double a) { return GainShift{-1, a}; }, [](double b) { return GainShift{1, -b}; });
}

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) { return pack_sum(p, node, -1); }

void evaluate(const Evaluation& e) { evaluate_sum(e, -1); }

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  return calls_sum(p, node, -1);
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target& target) {
  return binary_rows(p, node, calls(p, node, target));
}

}  // namespace

constexpr OpDef op_sub = {
    .name = "sub",
    .traits = trait::fuses_clamp,
    .access = {.elementwise = true},
    .imports = kImports,
    .infer = infer_sum,
    .integerize = integerize_sum,
    .real = [](const Node&, std::span<const double> x) { return x[0] - x[1]; },
    .evaluate = evaluate,
    .permute_through = permute_binary,
    .simplify = simplify,
    .pack = pack,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_sub));

}  // namespace fold8::ops
