// reshape: the same elements, in the same order, under another shape. view, flatten, squeeze, unsqueeze and the nodes
// that change nothing at all are reshapes; none costs an instruction on the device.
//
//   reshape %x shape=[...]
#include <algorithm>

#include "ir/infer.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_reshape;

namespace {

Result<> emit(ImportCall& call, ValueId x, Shape shape) {
  Attrs attrs;
  attrs.set("shape", std::move(shape));
  F8_CHECK(call.emit(op_reshape, {x}, attrs));
  return ok;
}

// PyTorch's rule: at most one -1, which takes what is left.
Result<Shape> resolve(const ImportCall& call, Shape shape, int64_t elems) {
  const auto open = std::ranges::find(shape, -1);
  if (open == shape.end()) return shape;
  int64_t known = 1;
  for (int64_t dim : shape) known *= dim == -1 ? 1 : dim;
  if (known <= 0 || elems % known != 0 || std::count(shape.begin(), shape.end(), -1) > 1)
    return call.fail("F8-0301", fmt::format("shape {} does not divide {} elements", shape_text(shape), elems));
  *open = elems / known;
  return shape;
}

Result<> import_view(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(Shape shape, call.integers(call.args.contains("size") ? "size" : "shape"));
  F8_TRY(shape, resolve(call, shape, call.program.type(x).elems()));
  return emit(call, x, shape);
}

Result<size_t> checked_dimension(const ImportCall& call, const char* arg, size_t rank) {
  F8_TRY(const int64_t dim, call.integer(arg));
  if (const auto index = dimension(dim, rank)) return *index;
  return call.fail("F8-0301", fmt::format("{} = {} is not a dimension of a tensor of rank {}", arg, dim, rank));
}

Result<> import_flatten(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  const Shape in = call.program.type(x).shape;
  if (in.empty()) return emit(call, x, {1});
  F8_TRY(const size_t first, checked_dimension(call, "start_dim", in.size()));
  F8_TRY(const size_t last, checked_dimension(call, "end_dim", in.size()));
  if (first > last) return call.fail("F8-0301", "start_dim comes after end_dim");
  Shape out(in.begin(), in.begin() + static_cast<ptrdiff_t>(first));
  int64_t merged = 1;
  for (size_t i = first; i <= last; ++i) merged *= in[i];
  out.push_back(merged);
  out.insert(out.end(), in.begin() + static_cast<ptrdiff_t>(last) + 1, in.end());
  return emit(call, x, out);
}

Result<> import_unsqueeze(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  Shape shape = call.program.type(x).shape;
  F8_TRY(const size_t dim, checked_dimension(call, "dim", shape.size() + 1));
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(dim), 1);
  return emit(call, x, shape);
}

// Drops the dimensions of size 1 among `dims` (all of them when `dims` is empty).
Result<> import_squeeze(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  const Shape in = call.program.type(x).shape;
  std::vector<bool> asked(in.size(), !call.args.contains("dim"));
  if (call.args.contains("dim")) {
    F8_TRY(const std::vector<int64_t> dims, call.integers("dim"));
    for (int64_t dim : dims) {
      const auto index = dimension(dim, in.size());
      if (!index) return call.fail("F8-0301", fmt::format("{} is not a dimension of {}", dim, shape_text(in)));
      asked[*index] = true;
    }
  }
  Shape out;
  for (size_t i = 0; i < in.size(); ++i)
    if (!asked[i] || in[i] != 1) out.push_back(in[i]);
  return emit(call, x, out);
}

// Nodes that change nothing at inference: clones, aliases, dropout out of training.
Result<> import_identity(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor(call.args.contains("self") ? "self" : "input"));
  if (call.args.contains("train")) {
    F8_TRY(const bool train, call.boolean("train"));
    if (train) return call.fail("F8-0301", "drops at random, as in training").note("call model.eval() before export");
  }
  return emit(call, x, call.program.type(x).shape);
}

// To the element kind that it has already: float32 of float32.
Result<> import_cast(ImportCall& call) {
  constexpr int64_t kFloat32 = 7;  // torch/_export/serde/schema.py, ScalarType
  F8_TRY(const ValueId x, call.tensor("self"));
  const Type& type = call.program.type(x);
  const auto dtype = call.args.find("dtype");
  const bool given = !std::holds_alternative<std::monostate>(dtype->second);
  if (given && (type.elem != Elem::f32 || dtype->second != Arg(kFloat32)))
    return call.fail("F8-0301", "converts between element types").note("keep the model in float32 before quantization");
  return emit(call, x, type.shape);
}

constexpr Param kView[] = {{"self"}, {"size"}};
constexpr Param kReshape[] = {{"self"}, {"shape"}};
constexpr Param kFlatten[] = {{"self"}, {"start_dim", "0"}, {"end_dim", "-1"}};
constexpr Param kUnsqueeze[] = {{"self"}, {"dim"}};
constexpr Param kSqueezeAll[] = {{"self"}};
constexpr Param kDropout[] = {{"input"}, {"p"}, {"train"}};
constexpr Param kDropoutInPlace[] = {{"self"}, {"p"}, {"train"}};
constexpr Param kTo[] = {{"self"}, {"dtype"}, {"non_blocking", "false"}, {"copy", "false"}, {"memory_format", "null"}};
constexpr Param kToLayout[] = {{"self"},           {"dtype", "null"},        {"layout", "null"},
                               {"device", "null"}, {"pin_memory", "null"},   {"non_blocking", "false"},
                               {"copy", "false"},  {"memory_format", "null"}};
constexpr Param kToCopy[] = {{"self"},
                             {"dtype", "null"},
                             {"layout", "null"},
                             {"device", "null"},
                             {"pin_memory", "null"},
                             {"non_blocking", "false"},
                             {"memory_format", "null"}};
constexpr Param kClone[] = {{"self"}, {"memory_format", "null"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.view.default", kView, import_view},
    {"torch.ops.aten._unsafe_view.default", kView, import_view},
    {"torch.ops.aten.view_copy.default", kView, import_view},
    {"torch.ops.aten.reshape.default", kReshape, import_view},
    {"torch.ops.aten.flatten.using_ints", kFlatten, import_flatten},
    {"torch.ops.aten.unsqueeze.default", kUnsqueeze, import_unsqueeze},
    {"torch.ops.aten.squeeze.default", kSqueezeAll, import_squeeze},
    {"torch.ops.aten.squeeze.dim", kUnsqueeze, import_squeeze},
    {"torch.ops.aten.squeeze.dims", kUnsqueeze, import_squeeze},
    {"torch.ops.aten.dropout.default", kDropout, import_identity},
    {"torch.ops.aten.dropout_.default", kDropoutInPlace, import_identity},
    {"torch.ops.aten.feature_dropout.default", kDropout, import_identity},
    {"torch.ops.aten.feature_dropout_.default", kDropoutInPlace, import_identity},
    {"torch.ops.aten.alpha_dropout.default", kDropout, import_identity},
    {"torch.ops.aten.alpha_dropout_.default", kDropoutInPlace, import_identity},
    {"torch.ops.aten.feature_alpha_dropout.default", kDropout, import_identity},
    {"torch.ops.aten.feature_alpha_dropout_.default", kDropoutInPlace, import_identity},
    {"torch.ops.aten.to.dtype", kTo, import_cast},
    {"torch.ops.aten.to.dtype_layout", kToLayout, import_cast},
    {"torch.ops.aten._to_copy.default", kToCopy, import_cast},
    {"torch.ops.aten.positive.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.lift_fresh.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.alias_copy.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.detach_copy.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.clone.default", kClone, import_identity},
    {"torch.ops.aten.contiguous.default", kClone, import_identity},
    {"torch.ops.aten.alias.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.detach.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.detach_.default", kSqueezeAll, import_identity},
    {"torch.ops.aten.lift_fresh_copy.default", kSqueezeAll, import_identity},
};

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  if (!node.attrs.has("shape")) return bad_operand("needs shape=[...]");
  const Type& x = p.type(node.inputs[0]);
  const Shape& shape = node.attrs.integers("shape");
  if (std::ranges::any_of(shape, [](int64_t dim) { return dim < 0; }) || elem_count(shape) != x.elems())
    return bad_operand(fmt::format("{} has {} elements, {} has {}", shape_text(x.shape), x.elems(), shape_text(shape),
                                   elem_count(shape)));
  return std::vector{Type{x.elem, shape, std::nullopt}};
}

void evaluate(const Evaluation& e) { e.out[0]->bytes = e.in[0]->bytes; }

std::vector<Overlay> overlays(const Program&, const Node&) { return {{.operand = 0, .result = 0, .delta_bytes = 0}}; }

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Value& x = p[node.inputs[0]];
  const Value& y = p[node.outputs[0]];
  if (x.offset && x.offset == y.offset) return {};
  return {{.function = "f8k::copy",
           .header = "core/copy.h",
           .template_args = {},
           .args = {KernelInt{"bytes", static_cast<int64_t>(y.type.bytes())}, KernelPointer{node.inputs[0]},
                    KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_reshape = {
    .name = "reshape",
    .quant = {.result = Parameters::moved},
    .access = {.overlays = overlays},
    .imports = kImports,
    .infer = infer,
    .evaluate = evaluate,
    .calls = calls,
};
static_assert(complete(op_reshape));

}  // namespace fold8::ops
