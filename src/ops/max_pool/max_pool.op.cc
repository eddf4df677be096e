// max_pool: the largest element of each window of each channel. Padding never wins.
//
//   torch   max_pool %x <window, ops/pooling.h> [dilation=[h,w]] [min= max=]
//   int8    the same over q8, [clamp=[lo,hi]]; the result has the operand's parameters
#include <algorithm>

#include "ops/pooling.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_max_pool;

namespace {

// ---- import

// PyTorch's pools with a second result give the index of each maximum there.
void leave_out_indices(ImportCall& call) {
  if (call.result_names.size() > 1)
    leave_out_result(call, Elem::i64, call.program.type(call.results[0]).shape, "indices");
}

Result<> import_pool(ImportCall& call, size_t dims) {
  F8_TRY(const PoolOperand x, pool_operand(call, "self", dims));
  F8_TRY(Attrs attrs, window_attrs(call, x));
  F8_CHECK(emit_pool(call, op_max_pool, x, std::move(attrs)));
  leave_out_indices(call);
  return ok;
}

Result<> import_adaptive(ImportCall& call, size_t dims) {
  F8_TRY(const PoolOperand x, pool_operand(call, "self", dims));
  F8_TRY(Attrs attrs, adaptive_attrs(call, x));
  F8_CHECK(emit_pool(call, op_max_pool, x, std::move(attrs)));
  leave_out_indices(call);
  return ok;
}

Result<> import_pool1d(ImportCall& call) { return import_pool(call, 1); }
Result<> import_pool2d(ImportCall& call) { return import_pool(call, 2); }
Result<> import_adaptive1d(ImportCall& call) { return import_adaptive(call, 1); }
Result<> import_adaptive2d(ImportCall& call) { return import_adaptive(call, 2); }

constexpr Param kPool[] = {{"self"},           {"kernel_size"},     {"stride", "[]"},
                           {"padding", "[0]"}, {"dilation", "[1]"}, {"ceil_mode", "false"}};
constexpr Param kAdaptive[] = {{"self"}, {"output_size"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.max_pool1d.default", kPool, import_pool1d},
    {"torch.ops.aten.max_pool2d.default", kPool, import_pool2d},
    {"torch.ops.aten.max_pool1d_with_indices.default", kPool, import_pool1d},
    {"torch.ops.aten.max_pool2d_with_indices.default", kPool, import_pool2d},
    {"torch.ops.aten.adaptive_max_pool1d.default", kAdaptive, import_adaptive1d},
    {"torch.ops.aten.adaptive_max_pool2d.default", kAdaptive, import_adaptive2d},
};

// ---- the rest

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_clamp(node));
  F8_TRY(std::vector<Type> types, infer_pool(p, node, /*dilates=*/true));
  if (p.form == Form::torch) return types;
  if (const auto wrong = not_quantized(p, node)) return bad_operand(*wrong);
  return types;
}

Result<> integerize(Program& p, Node& node) {
  if (const auto wrong = not_quantized(p, node)) return not_integer(p, node, *wrong);
  return ok;
}

void evaluate(const Evaluation& e) {
  const Pool pool = pool_of(e.program, e.node);
  const Bounds bounds = clamp_bounds(e.node);
  const auto x = e.in[0]->as<int8_t>();
  const auto y = e.out[0]->as<int8_t>();
  for (int64_t oy = 0; oy < pool.h.out; ++oy)
    for (int64_t ox = 0; ox < pool.w.out; ++ox) {
      const Ints rows = pool.h.taps(oy);
      const Ints columns = pool.w.taps(ox);
      for (int64_t n = 0; n < pool.batch; ++n)
        for (int64_t c = 0; c < pool.channels; ++c) {
          int64_t largest = INT64_MIN;
          for (int64_t iy : rows)
            for (int64_t ix : columns) largest = std::max<int64_t>(largest, x[pool.in_index(n, c, iy, ix)]);
          y[pool.out_index(n, c, oy, ox)] = static_cast<int8_t>(quant::clamp(largest, bounds.lo, bounds.hi));
        }
    }
}

KernelCall kernel(const Node& node, const Pool& pool) {
  const Bounds bounds = clamp_bounds(node);
  return {
      .function = "f8k::MaxPools",
      .header = "ops/max_pool/max_pool.kernel.h",
      .template_args = {std::to_string(pool.h.most_taps())},
      .args = {KernelStruct{"f8k::MaxPool",
                            {{"batch", pool.batch}, {"channels", pool.channels}, {"lo", bounds.lo}, {"hi", bounds.hi}}},
               window_axis(pool.h), window_axis(pool.w), rows_in(node, pool), rows_out(node, pool)},
      .is_object = true};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  require(node.attrs.has("layout"), "pools run channels last");
  if (p.type(node.outputs[0]).elems() == 0) return {};
  return {kernel(node, with_merged_rows(pool_of(p, node)))};
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target&) {
  const Pool pool = pool_of(p, node);
  if (pool.h.adaptive) return std::nullopt;
  return kernel(node, pool);
}

}  // namespace

constexpr OpDef op_max_pool = {
    .name = "max_pool",
    .traits = trait::fuses_clamp | trait::channels_last | trait::channelwise,
    .quant = {.result = Parameters::monotone},
    .access = {.windows = pool_windows},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_max_pool));

}  // namespace fold8::ops
