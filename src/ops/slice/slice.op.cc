// slice: the indices start, start + step, ... below end along one dimension. select, narrow, split, chunk and unbind
// are slices. Of contiguous bytes (step 1, nothing but 1s around the dimension) the result can lie in the operand.
//
//   slice %x dim= start= end= step=      0 <= start <= end <= size, step >= 1
#include <algorithm>

#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_slice;
extern const OpDef op_reshape;

namespace {

// ---- import

struct Along {
  ValueId x;
  size_t dim;
  int64_t size;
};

Result<Along> along(const ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const int64_t dim, call.integer("dim"));
  const Shape& shape = call.program.type(x).shape;
  const auto index = dimension(dim, shape.size());
  if (!index)
    return call.fail("F8-0301", fmt::format("dim = {} is not a dimension of a tensor of rank {}", dim, shape.size()));
  return Along{x, *index, shape[*index]};
}

Result<ValueId> emit(ImportCall& call, const Along& a, int64_t start, int64_t end, int64_t step = 1,
                     bool is_result = true) {
  Attrs attrs;
  attrs.set("dim", static_cast<int64_t>(a.dim));
  attrs.set("start", start);
  attrs.set("end", end);
  attrs.set("step", step);
  return call.emit(op_slice, {a.x}, attrs, is_result);
}

// One index along the dimension, which goes away.
Result<> emit_index(ImportCall& call, const Along& a, int64_t index) {
  F8_TRY(const ValueId one, emit(call, a, index, index + 1, 1, /*is_result=*/false));
  Shape shape = call.program.type(a.x).shape;
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(a.dim));
  Attrs attrs;
  attrs.set("shape", std::move(shape));
  F8_CHECK(call.emit(op_reshape, {one}, attrs));
  return ok;
}

// A bound as PyTorch reads it: None is `none`, negative counts from the end, and what is out of range is clipped.
Result<int64_t> bound(const ImportCall& call, std::string_view arg, int64_t size, int64_t none) {
  if (std::holds_alternative<std::monostate>(call.args.find(arg)->second)) return none;
  F8_TRY(const int64_t given, call.integer(arg));
  return std::clamp<int64_t>(given < 0 ? given + size : given, 0, size);
}

Result<> import_slice(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const int64_t start, bound(call, "start", a.size, 0));
  F8_TRY(const int64_t end, bound(call, "end", a.size, a.size));
  F8_TRY(const int64_t step, call.integer("step"));
  if (step < 1) return call.fail("F8-0301", fmt::format("step = {}; it must be 1 or more", step));
  F8_CHECK(emit(call, a, start, std::max(start, end), step));
  return ok;
}

Result<> import_select(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const int64_t index, call.integer("index"));
  if (index < -a.size || index >= a.size)
    return call.fail("F8-0301", fmt::format("index {} is not one of {}", index, a.size));
  return emit_index(call, a, index < 0 ? index + a.size : index);
}

Result<> import_unbind(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_CHECK(call.expect_results(a.size));
  for (int64_t i = 0; i < a.size; ++i) F8_CHECK(emit_index(call, a, i));
  return ok;
}

Result<> import_narrow(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const int64_t start, call.integer("start"));
  F8_TRY(const int64_t length, call.integer("length"));
  const int64_t from = start < 0 ? start + a.size : start;
  if (from < 0 || from > a.size || length < 0 || length > a.size - from)
    return call.fail("F8-0301", fmt::format("{} from {} on are not among {}", length, start, a.size));
  F8_CHECK(emit(call, a, from, from + length));
  return ok;
}

Result<> emit_parts(ImportCall& call, const Along& a, const std::vector<int64_t>& sizes) {
  int64_t at = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > a.size - at) break;
    F8_CHECK(emit(call, a, at, at + size));
    at += size;
  }
  if (at != a.size || call.results.size() != sizes.size())
    return call.fail("F8-0301", fmt::format("sizes {} do not add up to {}", shape_text(sizes), a.size));
  return ok;
}

// Parts of `part` each, the last of what is left. No dimension of size 0 comes apart.
Result<> emit_equal_parts(ImportCall& call, const Along& a, int64_t part) {
  if (part < 1 && a.size > 0) return call.fail("F8-0301", fmt::format("splits {} into parts of {}", a.size, part));
  const int64_t parts = part < 1 ? 1 : a.size / part + (a.size % part != 0 ? 1 : 0);
  F8_CHECK(call.expect_results(std::max<int64_t>(1, parts)));
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < a.size; at += part) sizes.push_back(std::min(part, a.size - at));
  if (sizes.empty()) sizes.push_back(0);
  return emit_parts(call, a, sizes);
}

Result<> import_split(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const int64_t part, call.integer("split_size"));
  return emit_equal_parts(call, a, part);
}

Result<> import_split_with_sizes(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const std::vector<int64_t> sizes,
         call.integers(call.args.contains("split_sizes") ? "split_sizes" : "split_size"));
  return emit_parts(call, a, sizes);
}

Result<> import_chunk(ImportCall& call) {
  F8_TRY(const Along a, along(call));
  F8_TRY(const int64_t chunks, call.integer("chunks"));
  if (chunks < 1) return call.fail("F8-0301", fmt::format("chunks = {}; it must be 1 or more", chunks));
  return emit_equal_parts(call, a, a.size / chunks + (a.size % chunks != 0 ? 1 : 0));
}

constexpr Param kSlice[] = {{"self"}, {"dim", "0"}, {"start", "null"}, {"end", "null"}, {"step", "1"}};
constexpr Param kSelect[] = {{"self"}, {"dim"}, {"index"}};
constexpr Param kUnbind[] = {{"self"}, {"dim", "0"}};
constexpr Param kNarrow[] = {{"self"}, {"dim"}, {"start"}, {"length"}};
constexpr Param kSplit[] = {{"self"}, {"split_size"}, {"dim", "0"}};
constexpr Param kSplitWithSizes[] = {{"self"}, {"split_sizes"}, {"dim", "0"}};
constexpr Param kChunk[] = {{"self"}, {"chunks"}, {"dim", "0"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.slice.Tensor", kSlice, import_slice},
    {"torch.ops.aten.select.int", kSelect, import_select},
    {"torch.ops.aten.unbind.int", kUnbind, import_unbind},
    {"torch.ops.aten.narrow.default", kNarrow, import_narrow},
    {"torch.ops.aten.split.Tensor", kSplit, import_split},
    {"torch.ops.aten.unsafe_split.Tensor", kSplit, import_split},
    {"torch.ops.aten.split.sizes", kSplit, import_split_with_sizes},
    {"torch.ops.aten.split_with_sizes.default", kSplitWithSizes, import_split_with_sizes},
    {"torch.ops.aten.chunk.default", kChunk, import_chunk},
    {"torch.ops.aten.unsafe_chunk.default", kChunk, import_chunk},
};

// ---- shapes

// What is sliced: `outer` times, of `size` times `inner` elements those at start, start + step, ...
struct Cut {
  size_t dim;
  int64_t outer, size, inner;
  int64_t start, step, count;

  // The kept elements are one run of the operand.
  bool contiguous() const { return (outer == 1 && (step == 1 || count <= 1)) || outer * count * inner == 0; }
};

Cut cut(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const auto dim = static_cast<size_t>(node.attrs.integer("dim"));
  const int64_t start = node.attrs.integer("start");
  const int64_t step = node.attrs.integer("step");
  const int64_t span = node.attrs.integer("end") - start;
  const auto at = x.begin() + static_cast<ptrdiff_t>(dim);
  return {dim,  elem_count(Shape(x.begin(), at)),        x[dim], elem_count(Shape(at + 1, x.end())), start,
          step, span / step + (span % step != 0 ? 1 : 0)};
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  const Type& x = p.type(node.inputs[0]);
  for (const char* key : {"dim", "start", "end", "step"}) {
    const Attr* attr = node.attrs.find(key);
    if (attr == nullptr || !std::holds_alternative<int64_t>(*attr))
      return bad_operand(fmt::format("needs {}=, an integer", key));
  }
  const int64_t dim = node.attrs.integer("dim");
  if (dim < 0 || dim >= static_cast<int64_t>(x.shape.size()))
    return bad_operand(fmt::format("dim={} is not a dimension of {}, counted from 0", dim, shape_text(x.shape)));
  const int64_t size = x.shape[static_cast<size_t>(dim)];
  const int64_t start = node.attrs.integer("start");
  const int64_t end = node.attrs.integer("end");
  if (start < 0 || start > end || end > size || node.attrs.integer("step") < 1)
    return bad_operand(fmt::format("start={} end={} step={} of {}; needs 0 <= start <= end <= size and step >= 1",
                                   start, end, node.attrs.integer("step"), size));
  Type y{x.elem, x.shape, std::nullopt};
  y.shape[static_cast<size_t>(dim)] = cut(p, node).count;
  return std::vector{y};
}

std::optional<std::vector<int64_t>> permute_through(Program&, Node& node, const std::vector<int64_t>& dims) {
  node.attrs.set("dim", dims[static_cast<size_t>(node.attrs.integer("dim"))]);
  return dims;
}

// ---- meaning

void evaluate(const Evaluation& e) {
  const Cut c = cut(e.program, e.node);
  const int64_t run = c.inner * static_cast<int64_t>(elem_bytes(e.in_type(0).elem));
  auto to = e.out[0]->bytes.begin();
  for (int64_t i = 0; i < c.outer; ++i)
    for (int64_t j = 0; j < c.count; ++j)
      to = std::copy_n(e.in[0]->bytes.begin() + (i * c.size + c.start + j * c.step) * run, run, to);
}

// ---- device

std::vector<Overlay> overlays(const Program& p, const Node& node) {
  const Cut c = cut(p, node);
  if (!c.contiguous() || p.type(node.outputs[0]).elems() == 0) return {};
  return {{.operand = 0, .result = 0, .delta_bytes = c.start * c.inner}};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Value& x = p[node.inputs[0]];
  const Value& y = p[node.outputs[0]];
  const Cut c = cut(p, node);
  const bool in_place = c.contiguous() && x.offset && *y.offset == *x.offset + c.start * c.inner;
  if (y.type.elems() == 0 || in_place) return {};
  const bool whole = c.step == 1 || c.count == 1;  // what is kept of one outer index is one run
  const KernelStruct shape{"f8k::SliceShape",
                           {{"outer", c.outer},
                            {"outer_stride", c.size * c.inner},
                            {"count", whole ? 1 : c.count},
                            {"stride", whole ? 0 : c.step * c.inner},
                            {"bytes", whole ? c.count * c.inner : c.inner},
                            {"start", c.start * c.inner}}};
  return {{.function = "f8k::slice",
           .header = "ops/slice/slice.kernel.h",
           .template_args = {},
           .args = {shape, KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_slice = {
    .name = "slice",
    .quant = {.result = Parameters::moved},
    .access = {.overlays = overlays},
    .imports = kImports,
    .infer = infer,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .calls = calls,
};
static_assert(complete(op_slice));

}  // namespace fold8::ops
