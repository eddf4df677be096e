// mean over some dimensions. Over the two spatial dimensions of an image it is imported as an avg_pool.
//
//   torch   mean %x dims=[...] keepdim=0|1      dims ascending, counted from 0
//   int8    the same over q8, [clamp=[lo,hi]]: y = clamp(zy + R(sum (x - zx) * 2^up)), R = sx / (sy * n) * 2^-up,
//           with headroom() for `up`: docs/arithmetic.md "Pooling"
#include <algorithm>
#include <numeric>

#include "ops/constants.h"
#include "ops/pooling.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_mean;
extern const OpDef op_avg_pool;
extern const OpDef op_reshape;

namespace {

// ---- import

Result<> emit_pool(ImportCall& call, ValueId x, bool keep) {
  const Shape shape = call.program.type(x).shape;
  Attrs attrs;
  attrs.set("kernel", Ints{shape[2], shape[3]});
  attrs.set("stride", Ints{1, 1});
  attrs.set("pad", Ints{0, 0, 0, 0});
  attrs.set("count_include_pad", int64_t{0});
  F8_TRY(const ValueId y, call.emit(op_avg_pool, {x}, attrs, /*is_result=*/keep));
  if (keep) return ok;
  Attrs flat;
  flat.set("shape", Ints{shape[0], shape[1]});
  F8_CHECK(call.emit(op_reshape, {y}, flat));
  return ok;
}

Result<> emit(ImportCall& call, ValueId x, const Ints& dims, bool keep) {
  if (call.program.type(x).shape.size() == 4 && dims == Ints{2, 3}) return emit_pool(call, x, keep);
  Attrs attrs;
  attrs.set("dims", dims);
  attrs.set("keepdim", int64_t{keep});
  F8_CHECK(call.emit(op_mean, {x}, attrs));
  return ok;
}

// dims counted from 0, ascending; all of them where None or none is given.
Result<Ints> asked_dims(const ImportCall& call, size_t rank) {
  Ints dims;
  const auto given = call.args.find("dim");
  if (given != call.args.end() && !std::holds_alternative<std::monostate>(given->second)) {
    F8_TRY(dims, call.integers("dim"));
  }
  for (int64_t& dim : dims) {
    const auto index = dimension(dim, rank);
    if (!index) return call.fail("F8-0301", fmt::format("{} is not a dimension of a tensor of rank {}", dim, rank));
    dim = static_cast<int64_t>(*index);
  }
  if (dims.empty()) {
    dims.resize(rank);
    std::iota(dims.begin(), dims.end(), 0);
  }
  std::ranges::sort(dims);
  return dims;
}

constexpr int64_t kFloat32 = 7;  // exir's number for the dtype

Result<> import_mean(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const double dtype, call.number_or("dtype", kFloat32));
  if (dtype != kFloat32) return call.fail("F8-0301", "computes in another dtype than float32");
  F8_TRY(const Ints dims, asked_dims(call, call.program.type(x).shape.size()));
  bool keep = false;
  if (call.args.contains("keepdim")) {
    F8_TRY(keep, call.boolean("keepdim"));
  }
  return emit(call, x, dims, keep);
}

constexpr Param kDim[] = {{"self"}, {"dim", "null"}, {"keepdim", "false"}, {"dtype", "null"}};
constexpr Param kDefault[] = {{"self"}, {"dtype", "null"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.mean.dim", kDim, import_mean},
    {"torch.ops.aten.mean.default", kDefault, import_mean},
};

// ---- shapes

const Ints& dims_of(const Node& node) { return node.attrs.integers("dims"); }
bool keeps(const Node& node) { return node.attrs.integer("keepdim") != 0; }
bool goes(const Node& node, size_t dim) { return std::ranges::count(dims_of(node), static_cast<int64_t>(dim)) != 0; }

// Elements that one mean is over.
int64_t elems_of_mean(const Program& p, const Node& node) {
  int64_t n = 1;
  for (int64_t dim : dims_of(node)) n *= p.type(node.inputs[0]).shape[static_cast<size_t>(dim)];
  return n;
}

// The kernel's loops: neighbouring dimensions of one kind are one, those of size 1 none; outermost first.
struct Loops {
  Ints kept, kept_stride, over, over_stride;
};

constexpr size_t kMostLoops = 3;  // of each kind, on the device

Loops loops(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const Ints strides = dense_strides(x);
  Loops l;
  const Ints* last = nullptr;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == 1) continue;
    Ints& sizes = goes(node, i) ? l.over : l.kept;
    Ints& pitches = goes(node, i) ? l.over_stride : l.kept_stride;
    if (last == &sizes) {
      sizes.back() *= x[i];
      pitches.back() = strides[i];
    } else {
      sizes.push_back(x[i]);
      pitches.push_back(strides[i]);
    }
    last = &sizes;
  }
  return l;
}

// ---- checks

constexpr int64_t kMostElems = INT32_MAX / 256;  // |sum x| + |zx| * n <= 256 * n

double scale_of(const Program& p, const Node& node) {
  const double ratio = p.type(node.inputs[0]).quant->scale() / p.type(node.outputs[0]).quant->scale();
  return ratio / static_cast<double>(elems_of_mean(p, node));
}

int up_of(const Program& p, const Node& node) { return headroom(elems_of_mean(p, node), scale_of(p, node)); }

quant::Rescale rescale(const Program& p, const Node& node) {
  return *quant::make_rescale(std::ldexp(scale_of(p, node), -up_of(p, node)));
}

// What keeps the integer form from working, or nullopt.
std::optional<std::string> problem(const Program& p, const Node& node) {
  if (auto wrong = not_quantized(p, node)) return wrong;
  const int64_t n = elems_of_mean(p, node);
  if (n > kMostElems) return fmt::format("a mean of {} elements; supported: up to {}", n, kMostElems);
  const Loops l = loops(p, node);
  if (l.kept.size() > kMostLoops || l.over.size() > kMostLoops)
    return fmt::format("dims {} of {} lie apart too often; supported: {} groups of neighbours",
                       shape_text(dims_of(node)), shape_text(p.type(node.inputs[0]).shape), kMostLoops);
  if (!node.outputs.empty() && !quant::make_rescale(scale_of(p, node)))
    return fmt::format("scale {} / scale {} is not below 2^{}", p.type(node.inputs[0]).quant->scale(),
                       p.type(node.outputs[0]).quant->scale(), quant::kMaxLeftShift);
  return std::nullopt;
}

Result<> check_attributes(const Program& p, const Node& node) {
  F8_CHECK(check_clamp(node));
  const Attr* keep = node.attrs.find("keepdim");
  if (keep == nullptr || (*keep != Attr{int64_t{0}} && *keep != Attr{int64_t{1}}))
    return bad_operand("needs keepdim=0 or 1");
  const Attr* attr = node.attrs.find("dims");
  const auto* dims = attr == nullptr ? nullptr : std::get_if<Ints>(attr);
  const auto rank = static_cast<int64_t>(p.type(node.inputs[0]).shape.size());
  if (dims == nullptr || std::ranges::any_of(*dims, [&](int64_t d) { return d < 0 || d >= rank; }) ||
      std::ranges::adjacent_find(*dims, std::greater_equal<>()) != dims->end())
    return bad_operand(fmt::format("needs dims=[...], ascending dimensions of a tensor of rank {}", rank));
  if (elems_of_mean(p, node) < 1) return bad_operand("is a mean of nothing");
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_attributes(p, node));
  const Type& x = p.type(node.inputs[0]);
  Type y{x.elem, {}, std::nullopt};
  for (size_t i = 0; i < x.shape.size(); ++i) {
    if (!goes(node, i)) {
      y.shape.push_back(x.shape[i]);
    } else if (keeps(node)) {
      y.shape.push_back(1);
    }
  }
  if (p.form == Form::torch) return std::vector{y};
  if (const auto wrong = problem(p, node)) return bad_operand(*wrong);
  return std::vector{y};
}

Result<> integerize(Program& p, Node& node) {
  if (const auto wrong = problem(p, node)) return not_integer(p, node, *wrong);
  return ok;
}

// mean(permute(x, dims)): dimension i of the permuted operand is dims[i] of x. What stays keeps its order among itself.
std::optional<Ints> permute_through(Program&, Node& node, const Ints& dims) {
  Ints kept;
  for (size_t i = 0; i < dims.size(); ++i)
    if (!goes(node, i)) kept.push_back(dims[i]);
  Ints own;
  for (int64_t dim : dims_of(node)) own.push_back(dims[static_cast<size_t>(dim)]);
  std::ranges::sort(own);
  node.attrs.set("dims", own);
  if (keeps(node)) return dims;
  Ints ranked;
  for (int64_t dim : kept) ranked.push_back(std::ranges::count_if(kept, [&](int64_t other) { return other < dim; }));
  return ranked;
}

// ---- meaning

void evaluate(const Evaluation& e) {
  const Shape& shape = e.in_type(0).shape;
  const auto x = e.in[0]->as<int8_t>();
  const auto y = e.out[0]->as<int8_t>();
  const quant::Rescale r = rescale(e.program, e.node);
  const int up = up_of(e.program, e.node);
  const int64_t zx = e.in_type(0).quant->zero;
  const int64_t zy = e.out_type(0).quant->zero;
  const Bounds bounds = clamp_bounds(e.node);
  std::vector<int64_t> sums(y.size());
  for (size_t flat = 0; flat < x.size(); ++flat) {
    int64_t to = 0;
    int64_t pitch = 1;
    auto rest = static_cast<int64_t>(flat);
    for (size_t i = shape.size(); i-- > 0; rest /= shape[i]) {
      if (goes(e.node, i)) continue;
      to += rest % shape[i] * pitch;
      pitch *= shape[i];
    }
    sums[static_cast<size_t>(to)] += x[flat] - zx;
  }
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = static_cast<int8_t>(
        quant::clamp(zy + quant::apply(r, static_cast<int32_t>(sums[i] * (int64_t{1} << up))), bounds.lo, bounds.hi));
}

// ---- device

void add_loops(KernelStruct& s, const char* name, const Ints& list, int64_t filler) {
  for (size_t i = list.size(); i < kMostLoops; ++i) s.fields.push_back({name, filler});
  for (int64_t n : list) s.fields.push_back({name, n});
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  if (y.elems() == 0) return {};
  const Loops l = loops(p, node);
  const quant::Rescale r = rescale(p, node);
  const Bounds bounds = clamp_bounds(node);
  KernelStruct shape{"f8k::MeanShape", {}};
  add_loops(shape, "kept", l.kept, 1);
  add_loops(shape, "kept_stride", l.kept_stride, 0);
  add_loops(shape, "over", l.over, 1);
  add_loops(shape, "over_stride", l.over_stride, 0);
  const int64_t offset = -p.type(node.inputs[0]).quant->zero * elems_of_mean(p, node);
  return {{.function = "f8k::mean",
           .header = "ops/mean/mean.kernel.h",
           .template_args = {},
           .args = {shape,
                    KernelStruct{
                        "f8k::MeanScale",
                        {{"offset", offset}, {"multiplier", r.multiplier}, {"shift", r.shift}, {"up", up_of(p, node)}}},
                    KernelStruct{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}},
                    KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_mean = {
    .name = "mean",
    .traits = trait::fuses_clamp,
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .calls = calls,
};
static_assert(complete(op_mean));

}  // namespace fold8::ops
