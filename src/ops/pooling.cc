#include "ops/pooling.h"

#include <algorithm>
#include <array>
#include <bit>

namespace fold8::ops {

using namespace ir;

extern const OpDef op_reshape;

// ---- geometry

size_t Pool::in_index(int64_t n, int64_t c, int64_t y, int64_t x) const {
  return static_cast<size_t>(nhwc ? ((n * h.in + y) * w.in + x) * channels + c
                                  : ((n * channels + c) * h.in + y) * w.in + x);
}

size_t Pool::out_index(int64_t n, int64_t c, int64_t y, int64_t x) const {
  return static_cast<size_t>(nhwc ? ((n * h.out + y) * w.out + x) * channels + c
                                  : ((n * channels + c) * h.out + y) * w.out + x);
}

namespace {

int64_t windows(int64_t room, int64_t kernel, int64_t dilation, int64_t stride) {
  const int64_t left = room - dilation * (kernel - 1) - 1;
  return left < 0 ? 0 : left / stride + 1;
}

WindowAxis axis_of(const Node& node, size_t i, int64_t in) {
  if (node.attrs.has("out")) return {in, node.attrs.integers("out")[i], 0, 0, 0, 0, 1, true};
  const Ints& pad = node.attrs.integers("pad");
  WindowAxis axis{
      in, 0, node.attrs.integers("kernel")[i], node.attrs.integers("stride")[i], pad[2 * i], pad[2 * i + 1], 1, false};
  if (node.attrs.has("dilation")) axis.dilation = node.attrs.integers("dilation")[i];
  const int64_t overhang = node.attrs.has("overhang") ? node.attrs.integers("overhang")[i] : 0;
  axis.out = windows(in + axis.before + axis.after + overhang, axis.kernel, axis.dilation, axis.stride);
  return axis;
}

// ---- checks

constexpr int64_t kMostElems = int64_t{1} << 30;  // along an axis: with padding, still an int32 on the device
constexpr int64_t kLargest = int64_t{1} << 23;    // any number of a window

Result<> check_list(const Node& node, const char* name, size_t count, int64_t least, bool needed) {
  const Attr* attr = node.attrs.find(name);
  if (attr == nullptr && !needed) return ok;
  const auto* list = attr == nullptr ? nullptr : std::get_if<Ints>(attr);
  if (list == nullptr || list->size() != count)
    return bad_operand(fmt::format("needs {}= with {} numbers", name, count));
  for (int64_t x : *list)
    if (x < least || x > kLargest)
      return bad_operand(fmt::format("{} = {} is out of range; supported: {} to {}", name, x, least, kLargest));
  return ok;
}

Result<> check_attributes(const Node& node, bool dilates) {
  if (const Attr* layout = node.attrs.find("layout"); layout != nullptr && *layout != Attr{std::string("nhwc")})
    return bad_operand("layout is not \"nhwc\"");
  if (node.attrs.has("dilation") && !dilates) return bad_operand("has no dilation");
  if (node.attrs.has("out")) {
    for (const char* name : {"kernel", "stride", "pad", "overhang", "dilation"})
      if (node.attrs.has(name)) return bad_operand(fmt::format("has both out= and {}=", name));
    return check_list(node, "out", 2, 1, true);
  }
  F8_CHECK(check_list(node, "kernel", 2, 1, true));
  F8_CHECK(check_list(node, "stride", 2, 1, true));
  F8_CHECK(check_list(node, "pad", 4, -kLargest, true));
  F8_CHECK(check_list(node, "overhang", 2, 0, false));
  return check_list(node, "dilation", 2, 1, false);
}

// Every window has a tap in the image. One that begins inside has; those that begin before it are looked at.
Result<> check_axis(const WindowAxis& axis, const char* name) {
  if (axis.in < 1 || axis.in >= kMostElems)
    return bad_operand(fmt::format("{} elements along {} cannot be pooled", axis.in, name));
  if (axis.out < 1)
    return bad_operand(
        fmt::format("a window of {} along {} does not fit the padded input of {}", axis.kernel, name, axis.in));
  if (axis.adaptive) return ok;
  if (axis.start(axis.out - 1) >= axis.in) return bad_operand(fmt::format("a window along {} sees only padding", name));
  for (int64_t i = 0; i < axis.out && axis.start(i) < 0; ++i) {
    const int64_t skipped = (-axis.start(i) + axis.dilation - 1) / axis.dilation;
    if (skipped >= axis.kernel || axis.start(i) + skipped * axis.dilation >= axis.in)
      return bad_operand(fmt::format("a window along {} sees only padding", name));
  }
  return ok;
}

}  // namespace

Pool pool_of(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const bool nhwc = node.attrs.has("layout");
  return {x[0], nhwc ? x[3] : x[1], axis_of(node, 0, nhwc ? x[1] : x[2]), axis_of(node, 1, nhwc ? x[2] : x[3]), nhwc};
}

Result<std::vector<Type>> infer_pool(const Program& p, const Node& node, bool dilates) {
  const Type& x = p.type(node.inputs[0]);
  if (x.shape.size() != 4) return bad_operand(fmt::format("input has shape {}; expected rank 4", shape_text(x.shape)));
  F8_CHECK(check_attributes(node, dilates));
  const Pool pool = pool_of(p, node);
  F8_CHECK(check_axis(pool.h, "height"));
  F8_CHECK(check_axis(pool.w, "width"));
  const Shape y = pool.nhwc ? Shape{pool.batch, pool.h.out, pool.w.out, pool.channels}
                            : Shape{pool.batch, pool.channels, pool.h.out, pool.w.out};
  return std::vector{Type{x.elem, y, std::nullopt}};
}

std::optional<Windows> pool_windows(const Program& p, const Node& node) {
  if (!node.attrs.has("layout")) return std::nullopt;
  const Pool pool = pool_of(p, node);
  return Windows{.axes = {pool.h, pool.w},
                 .images = pool.batch,
                 .ins = pool.channels,
                 .outs = pool.channels,
                 .tiles = !node.attrs.has("out") && !node.attrs.has("overhang"),
                 .crops = true};
}

std::optional<std::string> not_quantized(const Program& p, const Node& node) {
  const auto fits = [&](ValueId id) { return p.type(id).is_q8() && p.type(id).quant->is_per_tensor(); };
  if (!fits(node.inputs[0]))
    return fmt::format("operand %{} is not int8 with one scale and zero point", p[node.inputs[0]].name);
  if (!node.outputs.empty() && !fits(node.outputs[0]))
    return fmt::format("result %{} is not int8 with one scale and zero point", p[node.outputs[0]].name);
  return std::nullopt;
}

// ---- import

namespace {

// A list of one counts for every spatial dimension, as in PyTorch; two come out, the height's first.
Result<Ints> spatial(const ImportCall& call, const char* arg, const PoolOperand& operand, int64_t of_height) {
  F8_TRY(Ints list, call.integers(arg));
  if (list.size() == 1) list.resize(operand.spatial, list[0]);
  if (list.size() != operand.spatial)
    return call.fail("F8-0301", fmt::format("{} has {} numbers; expected {}", arg, list.size(), operand.spatial));
  for (int64_t x : list)
    if (x < 0 || x > kLargest)
      return call.fail("F8-0301", fmt::format("{} = {} is out of range; supported: 0 to {}", arg, x, kLargest));
  if (operand.spatial == 1) list.insert(list.begin(), of_height);
  return list;
}

Result<ValueId> reshaped(ImportCall& call, ValueId x, Shape shape, bool is_result) {
  Attrs attrs;
  attrs.set("shape", std::move(shape));
  return call.emit(op_reshape, {x}, attrs, is_result);
}

// How far the last window of ceil_mode reaches beyond the padding: there is one more window for a rest of the input,
// but none that would begin in the padding behind it.
int64_t overhang_of(int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  const int64_t reach = dilation * (kernel - 1) + 1;
  int64_t out = windows(in + 2 * pad + stride - 1, kernel, dilation, stride);
  if (out > 0 && (out - 1) * stride >= in + pad) --out;
  return std::max<int64_t>(0, (out - 1) * stride + reach - in - 2 * pad);
}

}  // namespace

Ints PoolOperand::sizes() const { return spatial == 2 ? Ints(given.end() - 2, given.end()) : Ints{1, given.back()}; }

Result<PoolOperand> pool_operand(const ImportCall& call, const char* arg, size_t dims) {
  F8_TRY(const ValueId x, call.tensor(arg));
  const Shape shape = call.program.type(x).shape;
  if (shape.size() != dims + 1 && shape.size() != dims + 2)
    return call.fail("F8-0301",
                     fmt::format("input has shape {}; expected rank {} or {}", shape_text(shape), dims + 1, dims + 2));
  return PoolOperand{x, shape, dims};
}

Result<Attrs> window_attrs(const ImportCall& call, const PoolOperand& operand) {
  F8_TRY(const Ints kernel, spatial(call, "kernel_size", operand, 1));
  F8_TRY(Ints stride, call.integers("stride"));
  if (stride.empty()) {
    stride = kernel;
  } else {
    F8_TRY(stride, spatial(call, "stride", operand, 1));
  }
  F8_TRY(const Ints pad, spatial(call, "padding", operand, 0));
  Ints dilation = {1, 1};
  if (call.args.contains("dilation")) {
    F8_TRY(dilation, spatial(call, "dilation", operand, 1));
  }
  F8_TRY(const bool ceil, call.boolean("ceil_mode"));
  const bool usable =
      std::ranges::all_of(std::array{kernel[0], kernel[1], stride[0], stride[1], dilation[0], dilation[1]},
                          [](int64_t n) { return n > 0; });
  if (!usable) return call.fail("F8-0301", "a kernel size, stride or dilation is 0");
  Attrs attrs;
  attrs.set("kernel", kernel);
  attrs.set("stride", stride);
  attrs.set("pad", Ints{pad[0], pad[0], pad[1], pad[1]});
  if (dilation != Ints{1, 1}) attrs.set("dilation", dilation);
  const Ints in = operand.sizes();
  Ints overhang = {0, 0};
  for (size_t i = 0; ceil && i < 2; ++i) overhang[i] = overhang_of(in[i], kernel[i], stride[i], pad[i], dilation[i]);
  if (overhang != Ints{0, 0}) attrs.set("overhang", overhang);
  return attrs;
}

Result<Attrs> adaptive_attrs(const ImportCall& call, const PoolOperand& operand) {
  F8_TRY(const Ints out, spatial(call, "output_size", operand, 1));
  const Ints in = operand.sizes();
  Attrs attrs;
  if (out[0] == 0 || out[1] == 0 || in[0] % out[0] != 0 || in[1] % out[1] != 0) {
    attrs.set("out", out);
    return attrs;
  }
  const Ints kernel = {in[0] / out[0], in[1] / out[1]};
  attrs.set("kernel", kernel);
  attrs.set("stride", kernel);
  attrs.set("pad", Ints{0, 0, 0, 0});
  return attrs;
}

Result<> emit_pool(ImportCall& call, const OpDef& op, const PoolOperand& operand, Attrs attrs) {
  if (operand.given.size() == 4 && operand.spatial == 2) {
    F8_CHECK(call.emit(op, {operand.x}, std::move(attrs)));
    return ok;
  }
  Shape image = operand.given;
  const bool batched = image.size() == operand.spatial + 2;
  if (!batched) image.insert(image.begin(), 1);
  if (operand.spatial == 1) image.insert(image.begin() + 2, 1);
  F8_TRY(const ValueId x, reshaped(call, operand.x, image, false));
  F8_TRY(const ValueId y, call.emit(op, {x}, std::move(attrs), false));
  Shape shape = call.program.type(y).shape;
  if (operand.spatial == 1) shape.erase(shape.begin() + 2);
  if (!batched) shape.erase(shape.begin());
  F8_CHECK(reshaped(call, y, shape, true));
  return ok;
}

void leave_out_result(ImportCall& call, Elem elem, const Shape& shape, const char* what) {
  call.results.push_back(
      call.program.add_value(call.name + "." + what + "_is_not_computed", {elem, shape, std::nullopt}));
}

// ---- averages

int headroom(int64_t n, double scale) {
  int exponent = 0;
  std::frexp(scale, &exponent);
  const int sum_bits = 8 + static_cast<int>(std::bit_width(static_cast<uint64_t>(n - 1)));
  return std::max(0, std::min(31 - sum_bits, quant::kMaxRightShift + exponent));
}

// ---- device

KernelStruct window_axis(const WindowAxis& a) {
  const int64_t taps = a.adaptive ? a.in / a.out : a.kernel;
  return {"f8k::WindowAxis",
          {{"in", a.in},
           {"out", a.out},
           {"taps", taps},
           {"dilation", a.dilation},
           {"step", a.adaptive ? taps : a.stride},
           {"part", a.adaptive ? a.in % a.out : 0},
           {"parts", a.adaptive ? a.out : 1},
           {"before", a.before}}};
}

KernelRows rows_in(const Node& node, const Pool& pool) {
  return {node.inputs[0], pool.h.in, pool.w.in * pool.channels};
}
KernelRows rows_out(const Node& node, const Pool& pool) {
  return {node.outputs[0], pool.h.out, pool.w.out * pool.channels};
}

Pool with_merged_rows(Pool pool) {
  for (const WindowAxis* a : {&pool.h, &pool.w})
    if (a->out != 1 || a->start(0) != 0 || a->stop(0) != a->in || a->dilation != 1) return pool;
  const int64_t elems = pool.h.in * pool.w.in;
  if (elems >= kLargest) return pool;
  pool.h = {1, 1, 1, 1, 0, 0, 1, false};
  pool.w = {elems, 1, elems, elems, 0, 0, 1, false};
  return pool;
}

}  // namespace fold8::ops
