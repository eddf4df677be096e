// avg_pool: the average of each window of each channel. A mean over both spatial dimensions is one, too.
//
//   torch   avg_pool %x <window, ops/pooling.h> count_include_pad=0|1 [divisor=n] [min= max=]
//   int8    the same over q8, [clamp=[lo,hi]]; padding, where it counts, is the real 0
//   packed  avg_pool %x, %rescale ...      %rescale: one entry for each count of rows and of columns that windows have;
//           absent where the kernel divides
//
// Equal parameters and no divisor, as TFLite does, half away from zero:
//   y = clamp(round((sum x + zx * padding) / count))
// Otherwise, with headroom() for `up`; the sum is never rounded to an average first:
//   y = clamp(zy + R(sum (x - zx) * 2^up)), R = sx / (sy * count or divisor) * 2^-up
// docs/arithmetic.md "Pooling".
#include <algorithm>

#include "ops/pooling.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_avg_pool;

namespace {

// ---- import

Result<> import_adaptive(ImportCall& call, size_t dims) {
  F8_TRY(const PoolOperand x, pool_operand(call, "self", dims));
  F8_TRY(Attrs attrs, adaptive_attrs(call, x));
  attrs.set("count_include_pad", int64_t{0});
  return emit_pool(call, op_avg_pool, x, std::move(attrs));
}

Result<> import_pool(ImportCall& call, size_t dims) {
  F8_TRY(const PoolOperand x, pool_operand(call, "self", dims));
  F8_TRY(Attrs attrs, window_attrs(call, x));
  F8_TRY(const bool include, call.boolean("count_include_pad"));
  attrs.set("count_include_pad", int64_t{include});
  const bool divides = call.args.contains("divisor_override") &&
                       !std::holds_alternative<std::monostate>(call.args.find("divisor_override")->second);
  if (divides) {
    F8_TRY(const int64_t divisor, call.integer("divisor_override"));
    attrs.set("divisor", divisor);
  }
  return emit_pool(call, op_avg_pool, x, std::move(attrs));
}

Result<> import_pool1d(ImportCall& call) { return import_pool(call, 1); }
Result<> import_pool2d(ImportCall& call) { return import_pool(call, 2); }
Result<> import_adaptive1d(ImportCall& call) { return import_adaptive(call, 1); }
Result<> import_adaptive2d(ImportCall& call) { return import_adaptive(call, 2); }

constexpr Param kPool1d[] = {{"self"},           {"kernel_size"},        {"stride", "[]"},
                             {"padding", "[0]"}, {"ceil_mode", "false"}, {"count_include_pad", "true"}};
constexpr Param kPool2d[] = {{"self"},
                             {"kernel_size"},
                             {"stride", "[]"},
                             {"padding", "[0]"},
                             {"ceil_mode", "false"},
                             {"count_include_pad", "true"},
                             {"divisor_override", "null"}};
constexpr Param kAdaptive[] = {{"self"}, {"output_size"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.avg_pool1d.default", kPool1d, import_pool1d},
    {"torch.ops.aten.avg_pool2d.default", kPool2d, import_pool2d},
    {"torch.ops.aten.adaptive_avg_pool1d.default", kAdaptive, import_adaptive1d},
    {"torch.ops.aten.adaptive_avg_pool2d.default", kAdaptive, import_adaptive2d},
    {"torch.ops.aten._adaptive_avg_pool2d.default", kAdaptive, import_adaptive2d},
};

// ---- arithmetic

constexpr int64_t kMostCounted = INT32_MAX / 256;  // |sum x| + |zx| * count <= 256 * count

// One way of averaging, whatever the form.
struct Averages {
  Pool pool;
  bool padding_counts;
  int64_t divisor;  // 0: the count
  bool exact;       // equal parameters: divides the stored integers
  double ratio;     // sx / sy
  int64_t zx, zy;
  Bounds bounds;
  int up = 0;

  int64_t rows(int64_t oy) const { return pool.h.counted(oy, padding_counts); }
  int64_t columns(int64_t ox) const { return pool.w.counted(ox, padding_counts); }
  double scale(int64_t count) const { return ratio / static_cast<double>(divisor != 0 ? divisor : count); }
  quant::Rescale rescale(int64_t count) const { return *quant::make_rescale(std::ldexp(scale(count), -up)); }
  int64_t shifted(int64_t sum) const { return sum * (int64_t{1} << up); }
};

Averages without_shift(const Program& p, const Node& node) {
  const Quant& x = *p.type(node.inputs[0]).quant;
  const Quant& y = *p.type(node.outputs[0]).quant;
  const int64_t divisor = node.attrs.has("divisor") ? node.attrs.integer("divisor") : 0;
  return {pool_of(p, node),
          node.attrs.integer("count_include_pad") != 0,
          divisor,
          divisor == 0 && x == y,
          x.scale() / y.scale(),
          x.zero,
          y.zero,
          clamp_bounds(node)};
}

// The counts that windows have along one axis.
struct Counts {
  int64_t least = INT64_MAX;
  int64_t most = 0;
  int64_t size() const { return most - least + 1; }
};

Counts counts(const WindowAxis& axis, bool padding) {
  Counts c;
  for (int64_t i = 0; i < axis.out; ++i) {
    c.least = std::min(c.least, axis.counted(i, padding));
    c.most = std::max(c.most, axis.counted(i, padding));
  }
  return c;
}

Averages averages(const Program& p, const Node& node) {
  Averages a = without_shift(p, node);
  const int64_t most = counts(a.pool.h, a.padding_counts).most * counts(a.pool.w, a.padding_counts).most;
  if (!a.exact) a.up = headroom(most, a.scale(most));
  return a;
}

// What integers cannot do; operand and result are quantized.
std::optional<std::string> problem(const Program& p, const Node& node) {
  const Averages a = without_shift(p, node);
  const Counts rows = counts(a.pool.h, a.padding_counts);
  const Counts columns = counts(a.pool.w, a.padding_counts);
  if (rows.most * columns.most > kMostCounted)
    return fmt::format("a window of {} elements; supported: up to {}", rows.most * columns.most, kMostCounted);
  if (!a.exact && !quant::make_rescale(a.scale(rows.least * columns.least)))
    return fmt::format("scale {} / scale {} is not below 2^{}", p.type(node.inputs[0]).quant->scale(),
                       p.type(node.outputs[0]).quant->scale(), quant::kMaxLeftShift);
  return std::nullopt;
}

// ---- shapes

Result<> check_attributes(const Node& node) {
  F8_CHECK(check_clamp(node));
  const Attr* include = node.attrs.find("count_include_pad");
  if (include == nullptr || (*include != Attr{int64_t{0}} && *include != Attr{int64_t{1}}))
    return bad_operand("needs count_include_pad=0 or 1");
  const Attr* divisor = node.attrs.find("divisor");
  if (divisor == nullptr) return ok;
  const auto* n = std::get_if<int64_t>(divisor);
  if (n == nullptr || *n < 1 || *n > INT32_MAX) return bad_operand("divisor is not an integer of at least 1");
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, p.form >= Form::packed ? 2 : 1));
  F8_CHECK(check_attributes(node));
  F8_TRY(std::vector<Type> types, infer_pool(p, node, /*dilates=*/false));
  if (p.form == Form::torch) return types;
  if (const auto wrong = not_quantized(p, node)) return bad_operand(*wrong);
  if (const auto wrong = problem(p, node)) return bad_operand(*wrong);
  return types;
}

Result<> integerize(Program& p, Node& node) {
  if (const auto wrong = not_quantized(p, node)) return not_integer(p, node, *wrong);
  if (const auto wrong = problem(p, node)) return not_integer(p, node, *wrong);
  return ok;
}

// ---- meaning

int64_t divide_away(int64_t sum, int64_t count) {
  return (sum < 0 ? -1 : 1) * ((2 * std::abs(sum) + count) / (2 * count));
}

// Calls of(sum of x, elements inside, rows counted, columns counted) for every window and stores the clamp of what it
// gives.
template <class Average>
void store_all(const Evaluation& e, const Averages& a, Average of) {
  const Pool& pool = a.pool;
  const auto x = e.in[0]->as<int8_t>();
  const auto y = e.out[0]->as<int8_t>();
  for (int64_t oy = 0; oy < pool.h.out; ++oy)
    for (int64_t ox = 0; ox < pool.w.out; ++ox) {
      const Ints rows = pool.h.taps(oy);
      const Ints columns = pool.w.taps(ox);
      const auto inside = static_cast<int64_t>(rows.size() * columns.size());
      for (int64_t n = 0; n < pool.batch; ++n)
        for (int64_t c = 0; c < pool.channels; ++c) {
          int64_t sum = 0;
          for (int64_t iy : rows)
            for (int64_t ix : columns) sum += x[pool.in_index(n, c, iy, ix)];
          const int64_t q = of(sum, inside, a.rows(oy), a.columns(ox));
          y[pool.out_index(n, c, oy, ox)] = static_cast<int8_t>(quant::clamp(q, a.bounds.lo, a.bounds.hi));
        }
    }
}

void evaluate_int8(const Evaluation& e) {
  const Averages a = averages(e.program, e.node);
  store_all(e, a, [&](int64_t sum, int64_t inside, int64_t rows, int64_t columns) {
    const int64_t count = rows * columns;
    if (a.exact) return divide_away(sum + a.zx * (count - inside), count);
    return a.zy + quant::apply(a.rescale(count), static_cast<int32_t>(a.shifted(sum - a.zx * inside)));
  });
}

// The same from the table that the kernel is given.
void evaluate_packed(const Evaluation& e) {
  const Averages a = averages(e.program, e.node);
  const auto table = e.in[1]->as<quant::Rescale>();
  const Counts rows_seen = counts(a.pool.h, a.padding_counts);
  const Counts columns_seen = counts(a.pool.w, a.padding_counts);
  store_all(e, a, [&](int64_t sum, int64_t inside, int64_t rows, int64_t columns) {
    const int64_t at =
        table.size() == 1 ? 0 : (rows - rows_seen.least) * columns_seen.size() + columns - columns_seen.least;
    const int64_t offset = a.zx * ((a.exact ? rows * columns : 0) - inside);
    return (a.exact ? 0 : a.zy) +
           quant::apply(table[static_cast<size_t>(at)], static_cast<int32_t>(a.shifted(sum + offset)));
  });
}

void evaluate(const Evaluation& e) { has_input(e.node, 1) ? evaluate_packed(e) : evaluate_int8(e); }

// ---- packing

// A Rescale of shift 0, so of one rounding, that divides every sum of `count` int8 exactly; nullopt if there is none.
// m = floor(2^31 / count) + 1 lies above 2^31 / count, so a tie lands beyond the half, away from zero. It is too far
// above for large counts: e = m * count - 2^31 must keep |sum| * e below 2^30. Here every sum there can be is tried.
std::optional<quant::Rescale> exact_reciprocal(int64_t count) {
  const int64_t m = count == 1 ? INT32_MAX : (int64_t{1} << 31) / count + 1;
  const int64_t most = 128 * count;
  if (count > 1 && most * (m * count - (int64_t{1} << 31)) >= int64_t{1} << 30) return std::nullopt;
  const quant::Rescale r{static_cast<int32_t>(m), 0};
  for (int64_t sum = -most; sum <= most; ++sum)
    if (quant::apply(r, static_cast<int32_t>(sum)) != divide_away(sum, count)) return std::nullopt;
  return r;
}

// One entry for each count that a window can have, rows outermost; nullopt where the kernel has to divide.
std::optional<std::vector<quant::Rescale>> table_of(const Averages& a) {
  if (a.divisor != 0) return std::vector{a.rescale(1)};
  const Counts rows = counts(a.pool.h, a.padding_counts);
  const Counts columns = counts(a.pool.w, a.padding_counts);
  if (a.exact && !exact_reciprocal(rows.most * columns.most)) return std::nullopt;
  std::vector<quant::Rescale> table;
  for (int64_t h = rows.least; h <= rows.most; ++h)
    for (int64_t w = columns.least; w <= columns.most; ++w) {
      const auto entry = a.exact ? exact_reciprocal(h * w) : std::optional(a.rescale(h * w));
      if (!entry) return std::nullopt;
      table.push_back(*entry);
    }
  return table;
}

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) {
  require(node.attrs.has("layout"), "pools are packed channels last");
  const auto table = table_of(averages(p, node));
  if (!table) return ok;
  const Shape shape = {static_cast<int64_t>(table->size())};
  node.inputs.push_back(
      p.add_constant(node.name + ".rescale", {Elem::rescale, shape, {}}, make_tensor(Elem::rescale, shape, *table)));
  return ok;
}

// ---- device

KernelStruct counted(const WindowAxis& axis, bool padding) {
  return {"f8k::Counted", {{"from", padding ? -axis.before : 0}, {"to", axis.in + (padding ? axis.after : 0)}}};
}

// `a.pool`: the node's own, or with merged rows.
KernelCall kernel(const Program& p, const Node& node, const Averages& a) {
  const bool divides = !has_input(node, 1);
  const Pool& pool = a.pool;
  const Counts rows = counts(pool.h, a.padding_counts);
  const Counts columns = counts(pool.w, a.padding_counts);
  const bool one = divides || p.type(node.inputs[1]).elems() == 1;
  const KernelStruct shape{"f8k::AvgPool",
                           {{"batch", pool.batch},
                            {"channels", pool.channels},
                            {"zero", a.zx},
                            {"of_counted", a.exact ? 1 : 0},
                            {"least_rows", rows.least},
                            {"least_columns", columns.least},
                            {"row_pitch", one ? 0 : columns.size()},
                            {"column_pitch", one ? 0 : 1},
                            {"up", a.up}}};
  return {
      .function = "f8k::AvgPools",
      .header = "ops/avg_pool/avg_pool.kernel.h",
      .template_args = {divides ? "true" : "false", std::to_string(pool.h.most_taps())},
      .args = {shape, window_axis(pool.h), window_axis(pool.w), counted(pool.h, a.padding_counts),
               counted(pool.w, a.padding_counts),
               KernelStruct{"f8k::Output", {{"zero", a.exact ? 0 : a.zy}, {"lo", a.bounds.lo}, {"hi", a.bounds.hi}}},
               rows_in(node, pool), KernelPointer{divides ? ValueId::none : node.inputs[1]}, rows_out(node, pool)},
      .is_object = true};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  if (p.type(node.outputs[0]).elems() == 0) return {};
  Averages a = averages(p, node);
  a.pool = with_merged_rows(a.pool);
  return {kernel(p, node, a)};
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target&) {
  const Averages a = averages(p, node);
  if (a.pool.h.adaptive) return std::nullopt;
  return kernel(p, node, a);
}

}  // namespace

constexpr OpDef op_avg_pool = {
    .name = "avg_pool",
    .traits = trait::fuses_clamp | trait::channels_last | trait::channelwise,
    .access = {.windows = pool_windows},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .pack = pack,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_avg_pool));

}  // namespace fold8::ops
