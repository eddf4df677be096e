// softmax along one dimension: y_i = exp(x_i) / sum_j exp(x_j).
//
//   torch   softmax %x dim=n
//   int8    the same over q8, [clamp=[lo,hi]]
//   packed  softmax %x, %exps dim=n     %exps: i16[entries], i32 where int16 is too coarse
//
// With d = max(x) - x in 0..255:  T[d] = round(top * exp(-sx * d)), S = sum of T along the dimension,
//   y = clamp(zy + round(T[d] / (S * sy)))
// where 1 / (S * sy) is one Rescale for the row, made of a 17-bit reciprocal of S. Within one step of float softmax and
// quantize: docs/arithmetic.md "Softmax" has the bound, integerize demands it.
#include <algorithm>
#include <bit>

#include "ops/pooling.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_softmax;

namespace {

// ---- import

constexpr int64_t kFloat32 = 7;  // exir's number for the dtype

Result<> import_softmax(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const int64_t given, call.integer("dim"));
  if (call.args.contains("dtype")) {
    F8_TRY(const double dtype, call.number_or("dtype", kFloat32));
    if (dtype != kFloat32) return call.fail("F8-0301", "computes in another dtype than float32");
  } else {
    F8_TRY(const bool half, call.boolean("half_to_float"));
    if (half) return call.fail("F8-0301", "converts from half precision");
  }
  const size_t rank = call.program.type(x).shape.size();
  const auto dim = dimension(given, rank);
  if (!dim) return call.fail("F8-0301", fmt::format("dim {} is not a dimension of a tensor of rank {}", given, rank));
  Attrs attrs;
  attrs.set("dim", static_cast<int64_t>(*dim));
  F8_CHECK(call.emit(op_softmax, {x}, attrs));
  return ok;
}

constexpr Param kSoftmax[] = {{"self"}, {"dim"}, {"dtype", "null"}};
constexpr Param kHalf[] = {{"self"}, {"dim"}, {"half_to_float"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.softmax.int", kSoftmax, import_softmax},
    {"torch.ops.aten._softmax.default", kHalf, import_softmax},
};

// ---- the table

// Sizes of the loops around and inside the dimension.
struct Rows {
  int64_t outer = 1;
  int64_t elems = 1;
  int64_t inner = 1;
};

Rows rows_of(const Program& p, const Node& node) {
  const Shape& shape = p.type(node.inputs[0]).shape;
  const auto dim = static_cast<size_t>(node.attrs.integer("dim"));
  Rows rows;
  for (size_t i = 0; i < shape.size(); ++i) (i < dim ? rows.outer : i > dim ? rows.inner : rows.elems) *= shape[i];
  return rows;
}

// T[0]. An entry is off by at most 1/2, so a result by at most (elems + 1) / 2 / top, in steps divided by sy.
struct Precision {
  Elem elem;
  int64_t top;
};

double table_error(int64_t elems, int64_t top, double sy) {
  return 0.5 * static_cast<double>(elems + 1) / static_cast<double>(top) / sy;
}

// int16 where that is off by at most 1/16 of a step; else int32, as large as a uint32 sum allows, for at most 1/4.
std::optional<Precision> precision(int64_t elems, double sy) {
  if (table_error(elems, INT16_MAX, sy) <= 1.0 / 16) return Precision{Elem::i16, INT16_MAX};
  const int64_t top = std::min(int64_t{UINT32_MAX} / elems, int64_t{1} << 30);
  if (top < 1 || table_error(elems, top, sy) > 0.25) return std::nullopt;
  return Precision{Elem::i32, top};
}

double result_scale(const Program& p, const Node& node) { return p.type(node.outputs[0]).quant->scale(); }

// T, without the zeros at its end.
std::vector<int32_t> exponentials(const Program& p, const Node& node) {
  const auto top = static_cast<double>(precision(rows_of(p, node).elems, result_scale(p, node))->top);
  const double sx = p.type(node.inputs[0]).quant->scale();
  std::vector<int32_t> table;
  for (int d = 0; d < 256; ++d) {
    const auto entry = static_cast<int32_t>(std::lround(top * std::exp(-sx * d)));
    if (entry == 0) break;
    table.push_back(entry);
  }
  return table;
}

// ---- shapes

// What keeps the integer form from working, or nullopt. The bounds on the result's scale keep every row's shift in
// range: it is up + e - 31 with 0 <= up <= 29 (a sum is at least T[0] >= 4) and 1 <= e <= 21, the exponent of 1 / sy.
std::optional<std::string> problem(const Program& p, const Node& node) {
  if (auto wrong = not_quantized(p, node)) return wrong;
  if (node.outputs.empty()) return std::nullopt;
  const double sy = result_scale(p, node);
  if (!(sy >= 0x1p-20 && sy <= 1))
    return fmt::format("result scale {}; supported: 2^-20 to 1 (results are at most 1)", sy);
  const int64_t elems = rows_of(p, node).elems;
  if (!precision(elems, sy))
    return fmt::format("{} elements at result scale {} cannot be kept within one step of float", elems, sy);
  return std::nullopt;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, p.form >= Form::packed ? 2 : 1));
  F8_CHECK(check_clamp(node));
  const Type& x = p.type(node.inputs[0]);
  const Attr* attr = node.attrs.find("dim");
  const auto* dim = attr == nullptr ? nullptr : std::get_if<int64_t>(attr);
  if (dim == nullptr || *dim < 0 || *dim >= static_cast<int64_t>(x.shape.size()))
    return bad_operand(fmt::format("needs dim=, a dimension of a tensor of rank {}", x.shape.size()));
  if (rows_of(p, node).elems < 1) return bad_operand("is along a dimension of size 0");
  if (p.form == Form::torch) return std::vector{Type{x.elem, x.shape, std::nullopt}};
  if (const auto wrong = problem(p, node)) return bad_operand(*wrong);
  return std::vector{Type{x.elem, x.shape, std::nullopt}};
}

Result<> integerize(Program& p, Node& node) {
  if (const auto wrong = problem(p, node)) return not_integer(p, node, *wrong);
  return ok;
}

std::optional<FixedResult> fixed_result(const Node&) { return FixedResult{.scale = 1.0 / 256, .zero = -128}; }

std::optional<std::vector<int64_t>> permute_through(Program&, Node& node, const std::vector<int64_t>& dims) {
  node.attrs.set("dim", dims[static_cast<size_t>(node.attrs.integer("dim"))]);
  return dims;
}

// ---- meaning

// 1 / (sum * sy): sum = u * 2^-up with 2^31 <= u < 2^32, h = u / 2^16 to the nearest, q = floor((2^32 - 1) / h), times
// the Rescale of 1 / sy.
quant::Rescale row_rescale(int64_t sum, quant::Rescale inverse_scale) {
  require(sum > 0 && sum < int64_t{1} << 32, "a row's sum fits uint32");
  const int up = 32 - static_cast<int>(std::bit_width(static_cast<uint64_t>(sum)));
  const int64_t h = ((sum << up) + (1 << 15)) >> 16;
  const int64_t q = ((int64_t{1} << 32) - 1) / h;
  const int64_t multiplier = ((q << 14) * inverse_scale.multiplier + (int64_t{1} << 30)) >> 31;
  return {static_cast<int32_t>(multiplier), up + inverse_scale.shift - 31};
}

void evaluate(const Evaluation& e) {
  const Rows rows = rows_of(e.program, e.node);
  std::vector<int32_t> table;
  if (!has_input(e.node, 1)) {
    table = exponentials(e.program, e.node);
  } else if (e.in_type(1).elem == Elem::i16) {
    table.assign(e.in[1]->as<int16_t>().begin(), e.in[1]->as<int16_t>().end());
  } else {
    table.assign(e.in[1]->as<int32_t>().begin(), e.in[1]->as<int32_t>().end());
  }
  const auto x = e.in[0]->as<int8_t>();
  const quant::Rescale inverse_scale = *quant::make_rescale(1 / result_scale(e.program, e.node));
  const int64_t zy = e.out_type(0).quant->zero;
  const Bounds bounds = clamp_bounds(e.node);
  for (int64_t row = 0; row < rows.outer * rows.inner; ++row) {
    const auto at = [&](int64_t i) {
      return static_cast<size_t>((row / rows.inner * rows.elems + i) * rows.inner + row % rows.inner);
    };
    int32_t max = -128;
    for (int64_t i = 0; i < rows.elems; ++i) max = std::max<int32_t>(max, x[at(i)]);
    const auto exp = [&](int64_t i) {
      const auto d = static_cast<size_t>(max - x[at(i)]);
      return d < table.size() ? table[d] : 0;
    };
    int64_t sum = 0;
    for (int64_t i = 0; i < rows.elems; ++i) sum += exp(i);
    const quant::Rescale r = row_rescale(sum, inverse_scale);
    for (int64_t i = 0; i < rows.elems; ++i)
      e.out[0]->as<int8_t>()[at(i)] =
          static_cast<int8_t>(quant::clamp(zy + quant::apply(r, exp(i)), bounds.lo, bounds.hi));
  }
}

// ---- device

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) {
  const std::vector<int32_t> table = exponentials(p, node);
  const Elem elem = precision(rows_of(p, node).elems, result_scale(p, node))->elem;
  const Shape shape = {static_cast<int64_t>(table.size())};
  const TensorPtr data = elem == Elem::i16 ? make_tensor(elem, shape, std::vector<int16_t>(table.begin(), table.end()))
                                           : make_tensor(elem, shape, table);
  node.inputs.push_back(p.add_constant(node.name + ".exps", {elem, shape, {}}, data));
  return ok;
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  if (y.elems() == 0) return {};
  const Rows rows = rows_of(p, node);
  const quant::Rescale r = *quant::make_rescale(1 / result_scale(p, node));
  const Bounds bounds = clamp_bounds(node);
  return {{.function = "f8k::softmax",
           .header = "ops/softmax/softmax.kernel.h",
           .template_args = {},
           .args = {KernelStruct{"f8k::Softmax",
                                 {{"outer", rows.outer},
                                  {"elems", rows.elems},
                                  {"inner", rows.inner},
                                  {"entries", p.type(node.inputs[1]).elems()},
                                  {"multiplier", r.multiplier},
                                  {"shift", r.shift}}},
                    KernelStruct{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}},
                    KernelPointer{node.inputs[0]}, KernelPointer{node.inputs[1]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_softmax = {
    .name = "softmax",
    .traits = trait::fuses_clamp,
    .quant = {.fixed = fixed_result},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .pack = pack,
    .calls = calls,
};
static_assert(complete(op_softmax));

}  // namespace fold8::ops
