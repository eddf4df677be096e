// pad: the operand with a constant around it; a negative pad crops instead.
//
//   torch   pad %x pad=[lo0,hi0,lo1,hi1,...] [value=]    a pair for each dimension, outermost first; value is a real, 0
//   int8    pad %x pad=[...] value=                      value as it is stored: the zero point for 0
#include <algorithm>

#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_pad;

namespace {

// ---- import

// PyTorch lists the pairs innermost first, and leaves out those of outer dimensions.
Result<> import(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const std::vector<int64_t> given, call.integers("pad"));
  F8_TRY(const double value, call.number_or("value", 0));
  if (call.args.contains("mode") && call.args.find("mode")->second != Arg{std::string("constant")})
    return call.fail("F8-0301", "pads by another mode than a constant; supported: mode 'constant'");
  const size_t rank = call.program.type(x).shape.size();
  if (given.size() % 2 != 0 || given.size() > 2 * rank)
    return call.fail("F8-0301", fmt::format("pad {} is not pairs for a tensor of rank {}", shape_text(given), rank));
  std::vector<int64_t> pad(2 * rank, 0);
  for (size_t i = 0; i < given.size(); ++i) pad[2 * (rank - 1 - i / 2) + i % 2] = given[i];
  Attrs attrs;
  attrs.set("pad", std::move(pad));
  attrs.set("value", value);
  F8_CHECK(call.emit(op_pad, {x}, attrs));
  return ok;
}

constexpr Param kPad[] = {{"self"}, {"pad"}, {"mode", "\"constant\""}, {"value", "null"}};
constexpr Param kConstantPad[] = {{"self"}, {"pad"}, {"value", "0"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.pad.default", kPad, import},
    {"torch.ops.aten.constant_pad_nd.default", kConstantPad, import},
};

// ---- shapes

constexpr size_t kMaxRank = 5;  // of dimensions that are padded apart
constexpr int64_t kMaxPad = int64_t{1} << 31;

struct Dim {
  int64_t in;
  int64_t lo;
  int64_t hi;

  int64_t out() const { return in + lo + hi; }
  int64_t kept() const { return in + std::min<int64_t>(lo, 0) + std::min<int64_t>(hi, 0); }
  bool padded() const { return lo != 0 || hi != 0; }
};

std::vector<Dim> dims_of(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const auto& pad = node.attrs.integers("pad");
  std::vector<Dim> dims;
  for (size_t i = 0; i < x.size(); ++i) dims.push_back({x[i], pad[2 * i], pad[2 * i + 1]});
  return dims;
}

// An unpadded dimension is part of the one around it; at least one dimension.
std::vector<Dim> merged(const std::vector<Dim>& dims) {
  std::vector<Dim> list;
  for (const Dim& dim : dims) {
    if (dim.in == 1 && !dim.padded()) continue;
    if (!dim.padded() && !list.empty()) {
      list.back() = {list.back().in * dim.in, list.back().lo * dim.in, list.back().hi * dim.in};
    } else {
      list.push_back(dim);
    }
  }
  if (list.empty()) list.push_back({1, 0, 0});
  return list;
}

Result<> check_pad(const Program& p, const Node& node) {
  const Attr* attr = node.attrs.find("pad");
  const auto* pad = attr == nullptr ? nullptr : std::get_if<std::vector<int64_t>>(attr);
  const Shape& x = p.type(node.inputs[0]).shape;
  if (pad == nullptr || pad->size() != 2 * x.size())
    return bad_operand(fmt::format("needs pad=[lo,hi,...], a pair for each dimension of {}", shape_text(x)));
  if (std::ranges::any_of(*pad, [](int64_t n) { return n <= -kMaxPad || n >= kMaxPad; }))
    return bad_operand("pads by 2^31 or more");
  for (const Dim& dim : dims_of(p, node))
    if (dim.kept() < 0)
      return bad_operand(fmt::format("pad [{},{}] crops more than the {} there are", dim.lo, dim.hi, dim.in));
  return ok;
}

Result<> check_value(const Program& p, const Node& node) {
  const Attr* value = node.attrs.find("value");
  if (p.form == Form::torch) {
    const bool real =
        value == nullptr || std::holds_alternative<double>(*value) || std::holds_alternative<int64_t>(*value);
    return real ? Result<>(ok) : bad_operand("value= is not a number");
  }
  const auto* stored = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  if (stored == nullptr || *stored < -128 || *stored > 127) return bad_operand("needs value= in -128..127");
  if (merged(dims_of(p, node)).size() > kMaxRank)
    return bad_operand(fmt::format("pads more than {} dimensions apart", kMaxRank));
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 1));
  F8_CHECK(check_pad(p, node));
  F8_CHECK(check_value(p, node));
  Type y{p.type(node.inputs[0]).elem, {}, std::nullopt};
  for (const Dim& dim : dims_of(p, node)) y.shape.push_back(dim.out());
  return std::vector{y};
}

// ---- int8

double real_value(const Node& node) {
  const Attr* value = node.attrs.find("value");
  if (value == nullptr) return 0;
  const auto* whole = std::get_if<int64_t>(value);
  return whole != nullptr ? static_cast<double>(*whole) : node.attrs.number("value");
}

// The result's parameters: where the operand's differ, it is requantized before.
Result<> integerize(Program& p, Node& node) {
  const Quant& q = *p.type(node.outputs[0]).quant;
  const double real = real_value(node);
  const double ideal = real / q.scale() + q.zero;
  if (std::isnan(real) || (std::isfinite(real) && (ideal < -128.5 || ideal > 127.5)))
    return not_integer(p, node,
                       fmt::format("pads with {}; the result's int8 ends at {} and {}", real,
                                   (-128 - q.zero) * q.scale(), (127 - q.zero) * q.scale()));
  if (merged(dims_of(p, node)).size() > kMaxRank)
    return not_integer(p, node, fmt::format("pads more than {} dimensions apart", kMaxRank));
  node.attrs.set("value", int64_t{quantized_bound(real, q)});
  return ok;
}

std::optional<std::vector<int64_t>> permute_through(Program&, Node& node, const std::vector<int64_t>& dims) {
  const std::vector<int64_t> pad = node.attrs.integers("pad");
  std::vector<int64_t> moved(pad.size());
  for (size_t i = 0; i < dims.size(); ++i)
    for (size_t end : {0u, 1u}) moved[2 * static_cast<size_t>(dims[i]) + end] = pad[2 * i + end];
  node.attrs.set("pad", moved);
  return dims;
}

// ---- meaning

// `value` as one element of the result. In torch form it is a real, also for the integers of a constant.
std::vector<std::byte> filler(const Evaluation& e) {
  const Type& type = e.in_type(0);
  const double value = real_value(e.node);
  const bool quantized = e.program.form == Form::torch && type.quant.has_value();
  Tensor element(type.elem, {});
  switch (type.elem) {
    case Elem::f32: element.as<float>()[0] = static_cast<float>(value); break;
    case Elem::i8:
      element.as<int8_t>()[0] =
          static_cast<int8_t>(quantized ? quantized_bound(value, *type.quant) : std::clamp(value, -128.0, 127.0));
      break;
    case Elem::i32: {
      const double stored = quantized ? std::nearbyint(value / type.quant->scale()) + type.quant->zero : value;
      element.as<int32_t>()[0] = static_cast<int32_t>(std::clamp(stored, -0x1p31, 0x1p31 - 1));
      break;
    }
    default: require(false, "float32, int8 and int32 are padded");
  }
  return element.bytes;
}

void evaluate(const Evaluation& e) {
  const std::vector<Dim> dims = dims_of(e.program, e.node);
  const std::vector<int64_t> strides = dense_strides(e.in_type(0).shape);
  const std::vector<std::byte> value = filler(e);
  const auto width = static_cast<int64_t>(value.size());
  for (int64_t flat = 0; flat < e.out_type(0).elems(); ++flat) {
    int64_t from = 0;
    bool inside = true;
    int64_t rest = flat;
    for (size_t i = dims.size(); i-- > 0; rest /= dims[i].out()) {
      const int64_t at = rest % dims[i].out() - dims[i].lo;
      inside = inside && at >= 0 && at < dims[i].in;
      from += at * strides[i];
    }
    const std::byte* source = inside ? &e.in[0]->bytes[static_cast<size_t>(from * width)] : value.data();
    std::copy_n(source, width, e.out[0]->bytes.begin() + flat * width);
  }
}

// ---- device

// Where all padding is at the two ends, the operand lies in the result.
std::vector<Overlay> overlays(const Program& p, const Node& node) {
  const std::vector<Dim> dims = merged(dims_of(p, node));
  if (dims.size() > 1) return {};
  return {{.operand = 0, .result = 0, .delta_bytes = -dims[0].lo}};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const Value& x = p[node.inputs[0]];
  const Value& y = p[node.outputs[0]];
  std::vector<Dim> dims = merged(dims_of(p, node));
  const bool in_place = dims.size() == 1 && x.offset && *y.offset == *x.offset - dims[0].lo;
  if (y.type.elems() == 0 || (in_place && dims[0].lo <= 0 && dims[0].hi <= 0)) return {};
  dims.insert(dims.begin(), kMaxRank - dims.size(), {1, 0, 0});
  std::vector<int64_t> from(kMaxRank, 1);
  std::vector<int64_t> to(kMaxRank, 1);
  for (size_t i = kMaxRank; i-- > 1;) {
    from[i - 1] = from[i] * dims[i].in;
    to[i - 1] = to[i] * dims[i].out();
  }
  int64_t start = 0;
  KernelStruct shape{"f8k::PadShape", {}};
  for (size_t i = 0; i < kMaxRank; ++i) start += std::max<int64_t>(-dims[i].lo, 0) * from[i];
  for (const Dim& dim : dims) shape.fields.push_back({"count", dim.kept()});
  for (int64_t stride : from) shape.fields.push_back({"stride", stride});
  for (size_t i = 0; i < kMaxRank; ++i) shape.fields.push_back({"before", std::max<int64_t>(dims[i].lo, 0) * to[i]});
  for (size_t i = 0; i < kMaxRank; ++i) shape.fields.push_back({"after", std::max<int64_t>(dims[i].hi, 0) * to[i]});
  return {{.function = "f8k::pad",
           .header = "ops/pad/pad.kernel.h",
           .template_args = {},
           .args = {shape, KernelInt{"start", start}, KernelInt{"value", node.attrs.integer("value")},
                    KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

}  // namespace

constexpr OpDef op_pad = {
    .name = "pad",
    .quant = {.result = Parameters::moved},
    .access = {.overlays = overlays},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .calls = calls,
};
static_assert(complete(op_pad));

}  // namespace fold8::ops
