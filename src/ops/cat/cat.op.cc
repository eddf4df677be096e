// cat: operands one after the other along a dimension. Along the outermost one that is not 1 each operand can lie in
// the result from the start, and nothing is copied.
//
//   cat %a, %b, ... dim=      f32 or q8; in int8 form all have the result's scale and zero point
#include <algorithm>

#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_cat;
extern const OpDef op_reshape;

namespace {

// ---- import

Result<std::vector<ValueId>> tensors(const ImportCall& call) {
  const auto* list = std::get_if<std::vector<ValueId>>(&call.args.find("tensors")->second);
  if (list == nullptr || list->empty() || std::ranges::count(*list, ValueId::none) != 0)
    return call.fail("F8-0110", "argument 'tensors' is not a list of tensors");
  return *list;
}

Result<> emit(ImportCall& call, const std::vector<ValueId>& operands, int64_t dim) {
  const size_t rank = call.program.type(operands[0]).shape.size();
  const auto index = dimension(dim, rank);
  if (!index) return call.fail("F8-0301", fmt::format("dim = {} is not a dimension of a tensor of rank {}", dim, rank));
  Attrs attrs;
  attrs.set("dim", static_cast<int64_t>(*index));
  F8_CHECK(call.emit(op_cat, operands, attrs));
  return ok;
}

Result<> import_cat(ImportCall& call) {
  F8_TRY(std::vector<ValueId> operands, tensors(call));
  F8_TRY(const int64_t dim, call.integer("dim"));
  // PyTorch skips tensors of shape [0], whatever the rank of the others.
  const auto last =
      std::ranges::remove_if(operands, [&](ValueId id) { return call.program.type(id).shape == Shape{0}; }).begin();
  if (last != operands.begin()) operands.erase(last, operands.end());
  return emit(call, operands, dim);
}

// stack: a dimension of 1 into each, then cat along it.
Result<> import_stack(ImportCall& call) {
  F8_TRY(const std::vector<ValueId> given, tensors(call));
  F8_TRY(const int64_t dim, call.integer("dim"));
  const size_t rank = call.program.type(given[0]).shape.size() + 1;
  const auto index = dimension(dim, rank);
  if (!index)
    return call.fail("F8-0301", fmt::format("dim = {} is not a dimension of the result, of rank {}", dim, rank));
  std::vector<ValueId> operands;
  for (ValueId id : given) {
    Shape shape = call.program.type(id).shape;
    if (shape.size() + 1 != rank) return call.fail("F8-0301", "stacks tensors of different ranks");
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(*index), 1);
    Attrs attrs;
    attrs.set("shape", std::move(shape));
    F8_TRY(const ValueId x, call.emit(op_reshape, {id}, attrs, /*is_result=*/false));
    operands.push_back(x);
  }
  return emit(call, operands, dim);
}

constexpr Param kParams[] = {{"tensors"}, {"dim", "0"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.cat.default", kParams, import_cat},
    {"torch.ops.aten.concat.default", kParams, import_cat},
    {"torch.ops.aten.concatenate.default", kParams, import_cat},
    {"torch.ops.aten.stack.default", kParams, import_stack},
};

// ---- shapes

Result<size_t> checked_dim(const Program& p, const Node& node) {
  const Attr* attr = node.attrs.find("dim");
  const auto* dim = attr == nullptr ? nullptr : std::get_if<int64_t>(attr);
  const Shape& first = p.type(node.inputs[0]).shape;
  if (dim == nullptr || *dim < 0 || *dim >= static_cast<int64_t>(first.size()))
    return bad_operand(fmt::format("needs dim= of a dimension of {}, counted from 0", shape_text(first)));
  return static_cast<size_t>(*dim);
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, std::max<size_t>(1, node.inputs.size()), node.inputs.size()));
  F8_TRY(const size_t dim, checked_dim(p, node));
  Type y{p.type(node.inputs[0]).elem, p.type(node.inputs[0]).shape, std::nullopt};
  y.shape[dim] = 0;
  for (ValueId id : node.inputs) {
    const Type& x = p.type(id);
    Shape shape = x.shape;
    if (shape.size() == y.shape.size()) shape[dim] = y.shape[dim];
    if (shape != y.shape || x.elem != y.elem)
      return bad_operand(fmt::format("operands {}{} and {}{} differ in more than dimension {}",
                                     elem_name(p.type(node.inputs[0]).elem), shape_text(p.type(node.inputs[0]).shape),
                                     elem_name(x.elem), shape_text(x.shape), dim));
    y.shape[dim] += x.shape[dim];
  }
  return std::vector{y};
}

// Bytes (int8) that follow one another in operand and result: one index of the dimensions before `dim`.
int64_t run_bytes(const Shape& shape, size_t dim) {
  return elem_count(Shape(shape.begin() + static_cast<ptrdiff_t>(dim), shape.end()));
}

int64_t runs(const Shape& shape, size_t dim) {
  return elem_count(Shape(shape.begin(), shape.begin() + static_cast<ptrdiff_t>(dim)));
}

size_t dim_of(const Node& node) { return static_cast<size_t>(node.attrs.integer("dim")); }

// ---- int8

// Constants take the result's parameters now; activations are requantized by align_qparams.
Result<> integerize(Program& p, Node& node) {
  const Quant q = *p.type(node.outputs[0]).quant;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Value x = p[node.inputs[i]];
    if (!x.is_constant() || x.type.quant == q) continue;
    const auto reals = real_values(x);
    if (!reals)
      return not_integer(
          p, node,
          fmt::format("constant %{} is {}; supported: float, or quantized integers", x.name, elem_name(x.type.elem)));
    node.inputs.set(i, add_quantized(p, x.name, x.type.shape, *reals, q));
  }
  return ok;
}

std::optional<std::vector<int64_t>> permute_through(Program& p, Node& node, const std::vector<int64_t>& dims) {
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (p[node.inputs[i]].is_constant()) node.inputs.set(i, add_unpermuted(p, node.inputs[i], dims));
  node.attrs.set("dim", dims[dim_of(node)]);
  return dims;
}

// ---- meaning

void evaluate(const Evaluation& e) {
  const size_t dim = dim_of(e.node);
  const auto width = static_cast<int64_t>(elem_bytes(e.out_type(0).elem));
  auto to = e.out[0]->bytes.begin();
  for (int64_t run = 0; run < runs(e.out_type(0).shape, dim); ++run)
    for (size_t i = 0; i < e.in.size(); ++i) {
      const int64_t bytes = run_bytes(e.in_type(i).shape, dim) * width;
      to = std::copy_n(e.in[i]->bytes.begin() + run * bytes, bytes, to);
    }
}

// ---- device

// Bytes of a run of the result before each operand's.
std::vector<int64_t> starts(const Program& p, const Node& node) {
  std::vector<int64_t> list;
  int64_t at = 0;
  for (ValueId id : node.inputs) {
    list.push_back(at);
    at += run_bytes(p.type(id).shape, dim_of(node));
  }
  return list;
}

std::vector<Overlay> overlays(const Program& p, const Node& node) {
  std::vector<Overlay> list;
  if (runs(p.type(node.outputs[0]).shape, dim_of(node)) != 1) return list;
  const std::vector<int64_t> start = starts(p, node);
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (p.type(node.inputs[i]).elems() > 0) list.push_back({.operand = i, .result = 0, .delta_bytes = -start[i]});
  return list;
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Value& y = p[node.outputs[0]];
  const int64_t count = runs(y.type.shape, dim_of(node));
  const std::vector<int64_t> start = starts(p, node);
  std::vector<KernelCall> list;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Value& x = p[node.inputs[i]];
    const bool in_place = count == 1 && x.offset && *x.offset == *y.offset + start[i];
    if (in_place || x.type.elems() == 0) continue;
    const KernelStruct operand{"f8k::CatOperand",
                               {{"runs", count},
                                {"bytes", run_bytes(x.type.shape, dim_of(node))},
                                {"stride", run_bytes(y.type.shape, dim_of(node))},
                                {"start", start[i]}}};
    list.push_back({.function = "f8k::cat_operand",
                    .header = "ops/cat/cat.kernel.h",
                    .template_args = {},
                    .args = {operand, KernelPointer{node.inputs[i]}, KernelPointer{node.outputs[0]}}});
  }
  return list;
}

}  // namespace

constexpr OpDef op_cat = {
    .name = "cat",
    .quant = {.result = Parameters::moved},
    .access = {.overlays = overlays},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .calls = calls,
};
static_assert(complete(op_cat));

}  // namespace fold8::ops
