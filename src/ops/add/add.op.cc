// add: y = a + b, broadcast. ops/binary.h has its forms.
#include "ops/binary.h"
#include "ops/gain_shift.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_add;
extern const OpDef op_sub;

namespace {

Result<> import(ImportCall& call) { return import_sum(call, "self", "other", op_add, op_sub); }

constexpr Param kParams[] = {{"self"}, {"other"}, {"alpha", "1"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.add.Tensor", kParams, import},
    {"torch.ops.aten.add.Scalar", kParams, import},
    {"torch.ops.aten.add_.Tensor", kParams, import},
    {"torch.ops.aten.add_.Scalar", kParams, import},
};

Result<bool> simplify(Program& p, Node& node) {
  return simplify_constant_operand(
      p, node, [](double a) { return GainShift{1, a}; }, [](double b) { return GainShift{1, b}; });
}

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) { return pack_sum(p, node, 1); }

void evaluate(const Evaluation& e) { evaluate_sum(e, 1); }

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  return calls_sum(p, node, 1);
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target& target) {
  return binary_rows(p, node, calls(p, node, target));
}

}  // namespace

constexpr OpDef op_add = {
    .name = "add",
    .traits = trait::fuses_clamp,
    .access = {.elementwise = true},
    .imports = kImports,
    .infer = infer_sum,
    .integerize = integerize_sum,
    .real = [](const Node&, std::span<const double> x) { return x[0] + x[1]; },
    .evaluate = evaluate,
    .permute_through = permute_binary,
    .simplify = simplify,
    .pack = pack,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_add));

}  // namespace fold8::ops
