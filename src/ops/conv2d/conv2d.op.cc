// conv2d: y[n,o,oy,ox] = sum over i, ky, kx of x[n,i,iy,ix] * w[o,i,ky,kx] + b[o]. conv1d is a conv2d of height 1.
//
//   torch   conv2d %x, %w [, %b] stride=[h,w] pad=[top,bottom,left,right] dilation=[h,w] groups=g [min= max=]
//           x [N,C,H,W], w [O,C/g,kh,kw], b [O] -> [N,O,oh,ow]; pad < 0, but of depthwise: windows begin or end inside
//   int8    the same over q8, constant q8, constant q32, [clamp=[lo,hi]]; with layout="nhwc" x and y are [N,H,W,C]
//   packed  conv2d %x, %w, %kernel_sum, %rescale ... outs kernel=[h,w] order [row_room]   w: i8[bytes] in that order
//           conv2d %x, %stream ... outs kernel=[h,w] stream=isa                all three in one stream for each group
//
// Scratch: the windows that a stream's microkernel takes at a time; beside them one window, where windows must be
// gathered byte by byte, or one pixel of padding. Depthwise: a ring of rows of a few channels. Without a stream, one
// window where some window is not contiguous in memory; depthwise: one pixel of padding. Known ahead of time, part of
// the arena, overwritten by each call: no state.
#include <algorithm>

#include "ops/accumulate.h"
#include "ops/channels.h"
#include "ops/conv2d/conv2d.h"
#include "target/kernel_orders.h"

namespace fold8::ops {

using namespace ir;
using namespace conv;
extern const OpDef op_conv2d;
extern const OpDef op_pad;

namespace {

// ---- import

constexpr Param kConv2d[] = {{"input"},           {"weight"},           {"bias", "null"},
                             {"stride", "[1,1]"}, {"padding", "[0,0]"}, {"dilation", "[1,1]"},
                             {"groups", "1"}};
constexpr Param kConv2dMode[] = {
    {"input"},      {"weight"}, {"bias", "null"}, {"stride", "[1,1]"}, {"padding", "\"valid\""}, {"dilation", "[1,1]"},
    {"groups", "1"}};
constexpr Param kConv1d[] = {{"input"},          {"weight"},          {"bias", "null"}, {"stride", "[1]"},
                             {"padding", "[0]"}, {"dilation", "[1]"}, {"groups", "1"}};
constexpr Param kConv1dMode[] = {
    {"input"},           {"weight"},     {"bias", "null"}, {"stride", "[1]"}, {"padding", "\"valid\""},
    {"dilation", "[1]"}, {"groups", "1"}};
constexpr Param kConvolution[] = {{"input"},    {"weight"},     {"bias"},           {"stride"}, {"padding"},
                                  {"dilation"}, {"transposed"}, {"output_padding"}, {"groups"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.conv2d.default", kConv2d, import_conv},
    {"torch.ops.aten.conv2d.padding", kConv2dMode, import_conv},
    {"torch.ops.aten.conv1d.default", kConv1d, import_conv},
    {"torch.ops.aten.conv1d.padding", kConv1dMode, import_conv},
    {"torch.ops.aten.convolution.default", kConvolution, import_convolution},
};

// ---- shapes

Result<> check_list(const Node& node, const char* name, size_t count, int64_t least) {
  const Attr* attr = node.attrs.find(name);
  const auto* list = attr == nullptr ? nullptr : std::get_if<Ints>(attr);
  if (list == nullptr || list->size() != count)
    return bad_operand(fmt::format("needs {} with {} numbers", name, count));
  for (int64_t x : *list)
    if (x < least || x > INT16_MAX)
      return bad_operand(fmt::format("{} = {} is out of range; supported: {} to {}", name, x, least, INT16_MAX));
  return ok;
}

Result<> check_attributes(const Node& node) {
  F8_CHECK(check_clamp(node));
  F8_CHECK(check_list(node, "stride", 2, 1));
  F8_CHECK(check_list(node, "dilation", 2, 1));
  F8_CHECK(check_list(node, "pad", 4, -INT16_MAX));
  const Attr* groups = node.attrs.find("groups");
  if (groups == nullptr || !std::holds_alternative<int64_t>(*groups) || std::get<int64_t>(*groups) < 1)
    return bad_operand("needs groups >= 1");
  return ok;
}

Result<> check_operands(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  if (x.size() != 4) return bad_operand(fmt::format("input has shape {}; expected rank 4", shape_text(x)));
  if (packed(p)) return ok;
  const Shape& w = p.type(node.inputs[1]).shape;
  if (w.size() != 4) return bad_operand(fmt::format("weight has shape {}; expected [outs, ins, h, w]", shape_text(w)));
  const int64_t groups = node.attrs.integer("groups");
  const int64_t ins = x[nhwc(node) ? 3 : 1];
  if (ins % groups != 0 || w[0] % groups != 0)
    return bad_operand(fmt::format("groups={} does not divide {} input and {} output channels", groups, ins, w[0]));
  if (w[1] != ins / groups)
    return bad_operand(fmt::format("weight {} takes {} channels in each of {} groups, the input has {}", shape_text(w),
                                   w[1], groups, ins / groups));
  if (has_input(node, 2) && p.type(node.inputs[2]).shape != Shape{w[0]})
    return bad_operand(fmt::format("bias has shape {}; expected [{}]", shape_text(p.type(node.inputs[2]).shape), w[0]));
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(packed(p) ? expect_operands(node, 2, 4) : expect_operands(node, 2, 3));
  F8_CHECK(check_attributes(node));
  F8_CHECK(check_operands(p, node));
  const Geometry g = geometry(p, node);
  if (g.depthwise() && std::min({g.top, g.bottom, g.left, g.right}) < 0)
    return bad_operand("depthwise windows do not begin or end inside the image: padding below 0 is not supported");
  if (g.out_h <= 0 || g.out_w <= 0 || g.kernel_h <= 0 || g.kernel_w <= 0)
    return bad_operand(fmt::format("a {}x{} kernel of dilation {}x{} does not fit the padded input", g.kernel_h,
                                   g.kernel_w, g.dilation_h, g.dilation_w));
  const Shape shape = nhwc(node) ? Shape{g.batch, g.out_h, g.out_w, g.outs} : Shape{g.batch, g.outs, g.out_h, g.out_w};
  return std::vector{Type{p.type(node.inputs[0]).elem, shape, std::nullopt}};
}

std::optional<Windows> windows(const Program& p, const Node& node) {
  if (!nhwc(node)) return std::nullopt;
  return windows_of(geometry(p, node));
}

// ---- meaning

// acc(n, o, oy, ox) by the definition, for either layout; padding adds nothing to sum of (x - zx) * w.
class Sum {
 public:
  Sum(const Evaluation& e, const Geometry& g) : g_(g), x_(e.in[0]->as<int8_t>()), nhwc_(nhwc(e.node)) {}

  // Calls tap(x, in group channel i, ky, kx) for every tap of the window that lies inside the image.
  template <class Tap>
  void window(int64_t n, int64_t group, int64_t oy, int64_t ox, Tap tap) const {
    for (int64_t ky = 0; ky < g_.kernel_h; ++ky) {
      const int64_t iy = oy * g_.stride_h - g_.top + ky * g_.dilation_h;
      for (int64_t kx = 0; kx < g_.kernel_w; ++kx) {
        const int64_t ix = ox * g_.stride_w - g_.left + kx * g_.dilation_w;
        const bool padding = iy < 0 || iy >= g_.in_h || ix < 0 || ix >= g_.in_w;
        for (int64_t i = 0; i < g_.group_ins(); ++i)
          tap(padding ? nullptr : &at(n, group * g_.group_ins() + i, iy, ix), i, ky, kx);
      }
    }
  }

 private:
  const int8_t& at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return x_[static_cast<size_t>(nhwc_ ? ((n * g_.in_h + y) * g_.in_w + x) * g_.ins + c
                                        : ((n * g_.ins + c) * g_.in_h + y) * g_.in_w + x)];
  }

  const Geometry& g_;
  std::span<const int8_t> x_;
  bool nhwc_;
};

size_t output_index(const Node& node, const Geometry& g, int64_t n, int64_t o, int64_t y, int64_t x) {
  return static_cast<size_t>(nhwc(node) ? ((n * g.out_h + y) * g.out_w + x) * g.outs + o
                                        : ((n * g.outs + o) * g.out_h + y) * g.out_w + x);
}

// Calls acc = of(n, o, oy, ox) for every output and stores its requantized clamp.
template <class Accumulate>
void store_all(const Evaluation& e, const Geometry& g, std::span<const quant::Rescale> scale, int64_t zy,
               Accumulate of) {
  const Bounds bounds = clamp_bounds(e.node);
  const auto y = e.out[0]->as<int8_t>();
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t oy = 0; oy < g.out_h; ++oy)
      for (int64_t ox = 0; ox < g.out_w; ++ox)
        for (int64_t o = 0; o < g.outs; ++o) {
          const auto acc = static_cast<int32_t>(of(n, o, oy, ox));
          const int64_t q = zy + quant::apply(scale[scale.size() == 1 ? 0 : static_cast<size_t>(o)], acc);
          y[output_index(e.node, g, n, o, oy, ox)] = static_cast<int8_t>(quant::clamp(q, bounds.lo, bounds.hi));
        }
}

void evaluate_int8(const Evaluation& e) {
  const Geometry g = geometry(e.program, e.node);
  const auto w = e.in[1]->as<int8_t>();
  const int64_t zx = e.in_type(0).quant->zero;
  const Sum sum(e, g);
  const std::vector<quant::Rescale> scale = rescales(e.program, e.node);
  store_all(e, g, scale, e.out_type(0).quant->zero, [&](int64_t n, int64_t o, int64_t oy, int64_t ox) {
    int64_t acc = has_input(e.node, 2) ? e.in[2]->as<int32_t>()[static_cast<size_t>(o)] : 0;
    sum.window(n, o / (g.outs / g.groups), oy, ox, [&](const int8_t* x, int64_t i, int64_t ky, int64_t kx) {
      const int64_t tap = ((o * g.group_ins() + i) * g.kernel_h + ky) * g.kernel_w + kx;
      if (x != nullptr) acc += (*x - zx) * w[static_cast<size_t>(tap)];
    });
    return acc;
  });
}

// A pad of the input's zero point in height and width is the convolution's own padding.
Result<bool> absorb_pad(Program& p, Node& node) {
  const Node* pad = p.producer(node.inputs[0]);
  if (p.form != Form::int8 || nhwc(node) || pad == nullptr || pad->op != &op_pad) return false;
  const Ints& sides = pad->attrs.integers("pad");
  const bool spatial = std::all_of(sides.begin(), sides.begin() + 4, [](int64_t n) { return n == 0; }) &&
                       std::all_of(sides.begin() + 4, sides.end(), [](int64_t n) { return n >= 0; });
  if (!spatial || pad->attrs.integer("value") != p.type(node.inputs[0]).quant->zero) return false;
  Ints own = node.attrs.integers("pad");
  for (size_t i = 0; i < own.size(); ++i) own[i] += sides[4 + i];
  node.attrs.set("pad", own);
  node.places.insert(node.places.end(), pad->places.begin(), pad->places.end());
  node.inputs.set(0, pad->inputs[0]);
  return true;
}

// ---- packing

// Byte of w[o, i, ky, kx] in the packed table.
int64_t packed_at(const Geometry& g, f8k::WeightOrder order, int64_t o, int64_t i, int64_t ky, int64_t kx) {
  if (g.depthwise()) return (o * g.kernel_h + ky) * g.kernel_w + kx;
  const int64_t group_outs = g.outs / g.groups;
  const int64_t block_bytes = order.bytes(order.out_block, g.segment());
  const int64_t blocks_per_group = order.padded_outs(group_outs) / order.out_block;
  const int64_t within = o % group_outs;
  const int64_t block = (o / group_outs) * blocks_per_group + within / order.out_block;
  return (block * g.kernel_h + ky) * block_bytes +
         order.at(within % order.out_block, kx * g.group_ins() + i, g.segment());
}

int64_t packed_bytes(const Geometry& g, f8k::WeightOrder order) {
  if (g.depthwise()) return g.kernel_h * g.kernel_w * g.outs;
  return g.groups * g.kernel_h * order.bytes(g.outs / g.groups, g.segment());
}

f8k::WeightOrder order_of(const Node& node) {
  const auto& list = node.attrs.integers("order");
  return {static_cast<int32_t>(list[0]), static_cast<int32_t>(list[1])};
}

// The weights, sums and scales that the kernel is given, from either packing.
class Given {
 public:
  Given(const Evaluation& e, const Geometry& g) : g_(g) {
    if (e.node.attrs.has("stream")) {
      read_streams(e);
      return;
    }
    order_ = order_of(e.node);
    weights_ = e.in[1]->as<int8_t>();
    const auto sums = e.in[2]->as<int32_t>();
    const auto scale = e.in[3]->as<quant::Rescale>();
    sums_.assign(sums.begin(), sums.end());
    rescales_.assign(scale.begin(), scale.end());
  }

  int64_t sum(int64_t o) const { return sums_[static_cast<size_t>(o)]; }
  std::span<const quant::Rescale> rescales() const { return rescales_; }
  std::optional<int32_t> zero() const { return matrices_.empty() ? std::nullopt : matrices_[0].zero; }

  int64_t weight(int64_t o, int64_t i, int64_t ky, int64_t kx) const {
    if (matrices_.empty()) return weights_[static_cast<size_t>(packed_at(g_, order_, o, i, ky, kx))];
    if (g_.depthwise())
      return matrices_[0].weights[static_cast<size_t>(o * g_.kernel_h * g_.kernel_w + depthwise_tap(g_, ky, kx))];
    const int64_t k = window_place(g_, *format_, i, ky, kx);
    return matrices_[static_cast<size_t>(o / g_.group_outs())]
        .weights[static_cast<size_t>(o % g_.group_outs() * g_.window() + k)];
  }

 private:
  void read_streams(const Evaluation& e) {
    const auto words = e.in[1]->as<int32_t>();
    format_ = target::stream_format(e.node.attrs.text("stream"));
    const target::StreamFormat& format = *format_;
    if (g_.depthwise()) return add(format.unpack_depthwise(words.data(), depthwise_kernel(g_)));
    for (const int32_t* stream = words.data(); stream != words.data() + words.size(); stream += stream[0])
      add(shares_columns(g_, format) ? format.unpack_columns(stream, g_.outs, g_.window(), g_.ins)
                                     : format.unpack(stream, g_.group_outs(), g_.window()));
  }

  void add(target::Matrix m) {
    sums_.insert(sums_.end(), m.sums.begin(), m.sums.end());
    rescales_.insert(rescales_.end(), m.rescales.begin(), m.rescales.end());
    matrices_.push_back(std::move(m));
  }

  const Geometry& g_;
  const target::StreamFormat* format_ = nullptr;
  f8k::WeightOrder order_{};
  std::span<const int8_t> weights_;
  std::vector<target::Matrix> matrices_;
  std::vector<int32_t> sums_;
  std::vector<quant::Rescale> rescales_;
};

// The same from what the kernel is given: padding holds the zero point, kernel_sum replaces bias and input offset.
void evaluate_packed(const Evaluation& e) {
  const Geometry g = geometry(e.program, e.node);
  const Given given(e, g);
  const auto zx = static_cast<int8_t>(e.in_type(0).quant->zero);
  const Sum sum(e, g);
  store_all(e, g, given.rescales(), given.zero().value_or(e.out_type(0).quant->zero),
            [&](int64_t n, int64_t o, int64_t oy, int64_t ox) {
              int64_t acc = given.sum(o);
              sum.window(n, o / g.group_outs(), oy, ox, [&](const int8_t* x, int64_t i, int64_t ky, int64_t kx) {
                acc += int64_t{x == nullptr ? zx : *x} * given.weight(o, i, ky, kx);
              });
              return acc;
            });
}

void evaluate(const Evaluation& e) { packed(e.program) ? evaluate_packed(e) : evaluate_int8(e); }

// One matrix for each group of channels.
std::vector<target::Matrix> stream_matrices(const Program& p, const Node& node, const Geometry& g,
                                            const target::StreamFormat& format) {
  const auto w = p[node.inputs[1]].constant->as<int8_t>();
  std::vector<target::Matrix> matrices;
  size_t from = 0;
  for (int64_t group = 0; group < g.groups; ++group) {
    target::Matrix m = stream_matrix(p, node, group * g.group_outs(), g.group_outs(), g.window());
    for (int64_t o = 0; o < g.group_outs(); ++o)
      for (int64_t i = 0; i < g.group_ins(); ++i)
        for (int64_t ky = 0; ky < g.kernel_h; ++ky)
          for (int64_t kx = 0; kx < g.kernel_w; ++kx)
            m.weights[static_cast<size_t>(o * g.window() + window_place(g, format, i, ky, kx))] = w[from++];
    matrices.push_back(std::move(m));
  }
  return matrices;
}

target::Matrix depthwise_matrix(const Program& p, const Node& node, const Geometry& g) {
  const auto w = p[node.inputs[1]].constant->as<int8_t>();
  target::Matrix m = stream_matrix(p, node, 0, g.outs, g.kernel_h * g.kernel_w);
  size_t from = 0;
  for (int64_t o = 0; o < g.outs; ++o)
    for (int64_t ky = 0; ky < g.kernel_h; ++ky)
      for (int64_t kx = 0; kx < g.kernel_w; ++kx)
        m.weights[static_cast<size_t>(o * m.ins + depthwise_tap(g, ky, kx))] = w[from++];
  return m;
}

// Microkernels may keep the distance between neighbouring pixels' results in 16 bits, for a few pixels at once.
constexpr int64_t kMaxStreamOuts = 16384;

Result<> pack(Program& p, Node& node, const target::Target& target, const target::CompileOptions& options) {
  require(nhwc(node), "convolutions are packed channels last");
  const Geometry g = geometry(p, node);
  node.attrs.set("outs", g.outs);
  node.attrs.set("kernel", Ints{g.kernel_h, g.kernel_w});
  if (const target::StreamFormat* format = chosen_streams(node, target, options.prefer)) {
    const auto pack_depthwise = [&](const target::Matrix& m) { return format->pack_depthwise(m, depthwise_kernel(g)); };
    const auto pack_windows = [&](target::Matrix m) {
      m.extra_flash = options.extra_weight_flash;
      return shares_columns(g, *format) ? format->pack_columns(m, g.ins) : format->pack(m);
    };
    const bool done = g.depthwise()
                          ? replace_by_streams(p, node, target, {depthwise_matrix(p, node, g)}, pack_depthwise)
                      : g.outs <= kMaxStreamOuts
                          ? replace_by_streams(p, node, target, stream_matrices(p, node, g, *format), pack_windows)
                          : false;
    if (done) return ok;
  }
  if (options.prefer == target::Prefer::size) node.attrs.set("row_room", kMostRowRoom);
  const f8k::WeightOrder order = target::gemm_order(target);
  const auto w = p[node.inputs[1]].constant->as<int8_t>();
  std::vector<int8_t> bytes(static_cast<size_t>(packed_bytes(g, order)));
  size_t from = 0;
  for (int64_t o = 0; o < g.outs; ++o)
    for (int64_t i = 0; i < g.group_ins(); ++i)
      for (int64_t ky = 0; ky < g.kernel_h; ++ky)
        for (int64_t kx = 0; kx < g.kernel_w; ++kx)
          bytes[static_cast<size_t>(packed_at(g, order, o, i, ky, kx))] = w[from++];
  node.attrs.set("order", Ints{order.out_block, order.in_block});
  replace_by_packed(p, node, bytes);
  return ok;
}

// ---- cost

int64_t macs(const Program& p, const Node& node) {
  const Geometry g = geometry(p, node);
  return g.batch * g.out_h * g.out_w * g.outs * g.kernel_h * g.segment();
}

}  // namespace

constexpr OpDef op_conv2d = {
    .name = "conv2d",
    .traits = trait::fuses_clamp | trait::channels_last,
    .quant = {.weights = WeightRule{}},
    .access = {.windows = windows, .touches = touches},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize_weighted,
    .evaluate = evaluate,
    .channels = &kWeightedChannels,
    .simplify = absorb_pad,
    .pack = pack,
    .rows = rows,
    .calls = calls,
    .scratch_bytes = scratch_bytes,
    .macs = macs,
};
static_assert(complete(op_conv2d));

}  // namespace fold8::ops
