// permute: dimensions in another order; y's dimension i is x's dimension dims[i]. transpose and t are permutes.
//
//   permute %x dims=[...]       up to rank 5 on the device; on constants folded ahead of time
#include <algorithm>
#include <numeric>

#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_permute;

namespace {

constexpr size_t kMaxRank = 5;

Result<> emit(ImportCall& call, ValueId x, std::vector<int64_t> dims) {
  Attrs attrs;
  attrs.set("dims", std::move(dims));
  F8_CHECK(call.emit(op_permute, {x}, attrs));
  return ok;
}

Result<> import_permute(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(std::vector<int64_t> dims, call.integers("dims"));
  const auto rank = static_cast<int64_t>(call.program.type(x).shape.size());
  for (int64_t& dim : dims) dim += dim < 0 ? rank : 0;
  return emit(call, x, dims);
}

std::vector<int64_t> identity(size_t rank) {
  std::vector<int64_t> dims(rank);
  std::iota(dims.begin(), dims.end(), 0);
  return dims;
}

Result<> import_transpose(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  const size_t rank = call.program.type(x).shape.size();
  F8_TRY(const int64_t dim0, call.integer("dim0"));
  F8_TRY(const int64_t dim1, call.integer("dim1"));
  const auto a = dimension(dim0, rank);
  const auto b = dimension(dim1, rank);
  if (!a || !b)
    return call.fail("F8-0301",
                     fmt::format("{} and {} are not both dimensions of a tensor of rank {}", dim0, dim1, rank));
  std::vector<int64_t> dims = identity(rank);
  std::swap(dims[*a], dims[*b]);
  return emit(call, x, dims);
}

Result<> import_t(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  std::vector<int64_t> dims = identity(call.program.type(x).shape.size());
  std::ranges::reverse(dims);
  return emit(call, x, dims);
}

constexpr Param kPermute[] = {{"self"}, {"dims"}};
constexpr Param kTranspose[] = {{"self"}, {"dim0"}, {"dim1"}};
constexpr Param kSelf[] = {{"self"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.permute.default", kPermute, import_permute},
    {"torch.ops.aten.transpose.int", kTranspose, import_transpose},
    {"torch.ops.aten.t.default", kSelf, import_t},
    {"torch.ops.aten.numpy_T.default", kSelf, import_t},
};

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  if (!node.attrs.has("dims")) return bad_operand("needs dims=[...]");
  const Type& x = p.type(node.inputs[0]);
  const auto& dims = node.attrs.integers("dims");
  if (!std::ranges::is_permutation(dims, identity(x.shape.size())))
    return bad_operand(
        fmt::format("dims {} do not reorder the dimensions of {}", shape_text(dims), shape_text(x.shape)));
  Type y{x.elem, {}, std::nullopt};
  for (int64_t dim : dims) y.shape.push_back(x.shape[static_cast<size_t>(dim)]);
  return std::vector{y};
}

Result<> integerize(Program& p, Node& node) {
  const size_t rank = p.type(node.inputs[0]).shape.size();
  if (rank > kMaxRank) return not_integer(p, node, fmt::format("has rank {}; supported: up to {}", rank, kMaxRank));
  return ok;
}

// Elements of x between neighbours along each dimension of y.
std::vector<int64_t> source_strides(const Shape& x, const std::vector<int64_t>& dims) {
  std::vector<int64_t> own(x.size(), 1);
  for (size_t i = x.size(); i-- > 1;) own[i - 1] = own[i] * x[i];
  std::vector<int64_t> strides;
  for (int64_t dim : dims) strides.push_back(own[static_cast<size_t>(dim)]);
  return strides;
}

void evaluate(const Evaluation& e) {
  const Shape& y = e.out_type(0).shape;
  const std::vector<int64_t> strides = source_strides(e.in_type(0).shape, e.node.attrs.integers("dims"));
  const size_t width = elem_bytes(e.in_type(0).elem);
  for (int64_t flat = 0; flat < e.out_type(0).elems(); ++flat) {
    int64_t from = 0;
    for (int64_t rest = flat, i = static_cast<int64_t>(y.size()) - 1; i >= 0; --i) {
      const auto dim = static_cast<size_t>(i);
      from += rest % y[dim] * strides[dim];
      rest /= y[dim];
    }
    std::copy_n(e.in[0]->bytes.begin() + from * static_cast<int64_t>(width), width,
                e.out[0]->bytes.begin() + flat * static_cast<int64_t>(width));
  }
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  const std::vector<int64_t> strides = source_strides(p.type(node.inputs[0]).shape, node.attrs.integers("dims"));
  KernelStruct shape{"f8k::PermuteShape", {}};
  const size_t missing = kMaxRank - y.shape.size();
  for (size_t i = 0; i < kMaxRank; ++i) shape.fields.push_back({"size", i < missing ? 1 : y.shape[i - missing]});
  for (size_t i = 0; i < kMaxRank; ++i) shape.fields.push_back({"stride", i < missing ? 0 : strides[i - missing]});
  return {{.function = "f8k::permute",
           .header = "ops/permute/permute.kernel.h",
           .template_args = {},
           .args = {shape, KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_permute = {
    .name = "permute",
    .quant = {.result = Parameters::moved},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_permute));

}  // namespace fold8::ops
