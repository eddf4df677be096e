#include <utility>

#include "ops/conv2d/conv2d.h"

namespace fold8::ops::conv {

using namespace ir;

namespace {

int64_t outputs(int64_t in, int64_t before, int64_t after, int64_t kernel, int64_t dilation, int64_t stride) {
  const int64_t room = in + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

}  // namespace

Geometry geometry(const Program& p, const Node& node) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const auto& stride = node.attrs.integers("stride");
  const auto& pad = node.attrs.integers("pad");
  const auto& dilation = node.attrs.integers("dilation");
  Geometry g{};
  g.batch = x[0];
  g.ins = nhwc(node) ? x[3] : x[1];
  g.in_h = nhwc(node) ? x[1] : x[2];
  g.in_w = nhwc(node) ? x[2] : x[3];
  if (packed(p)) {
    g.outs = node.attrs.integer("outs");
    g.kernel_h = node.attrs.integers("kernel")[0];
    g.kernel_w = node.attrs.integers("kernel")[1];
  } else {
    const Shape& w = p.type(node.inputs[1]).shape;
    g.outs = w[0];
    g.kernel_h = w[2];
    g.kernel_w = w[3];
  }
  g.stride_h = stride[0];
  g.stride_w = stride[1];
  g.top = pad[0];
  g.bottom = pad[1];
  g.left = pad[2];
  g.right = pad[3];
  g.dilation_h = dilation[0];
  g.dilation_w = dilation[1];
  g.groups = node.attrs.integer("groups");
  g.out_h = outputs(g.in_h, g.top, g.bottom, g.kernel_h, g.dilation_h, g.stride_h);
  g.out_w = outputs(g.in_w, g.left, g.right, g.kernel_w, g.dilation_w, g.stride_w);
  return g;
}

// Depthwise kernels read rows from their first pixel on.
Windows windows_of(const Geometry& g) {
  return {.axes = {WindowAxis{g.in_h, g.out_h, g.kernel_h, g.stride_h, g.top, g.bottom, g.dilation_h},
                   WindowAxis{g.in_w, g.out_w, g.kernel_w, g.stride_w, g.left, g.right, g.dilation_w}},
          .images = g.batch,
          .ins = g.ins,
          .outs = g.outs,
          .crops = !g.depthwise()};
}

bool shares_columns(const Geometry& g, const target::StreamFormat& format) {
  return format.pack_columns != nullptr && g.groups == 1 && g.kernel_h == 3 && g.kernel_w == 3 && g.stride_w == 1 &&
         g.dilation_w == 1 && g.ins % 16 == 0;
}

namespace {

constexpr int64_t kImageChannels = 4;  // what a network's input has at most

Geometry transposed(Geometry g) {
  std::swap(g.in_h, g.in_w);
  std::swap(g.out_h, g.out_w);
  std::swap(g.kernel_h, g.kernel_w);
  std::swap(g.stride_h, g.stride_w);
  std::swap(g.top, g.left);
  std::swap(g.bottom, g.right);
  std::swap(g.dilation_h, g.dilation_w);
  return g;
}

}  // namespace

bool runs_without_gaps(const Geometry& g, const target::StreamFormat& format) {
  return format.run_windows > 0 && g.kernel_h == 1 && g.rows_are_contiguous() && !g.pads();
}

int64_t strip_columns(const Geometry& g) { return (g.out_w - 1) * g.stride_w + g.kernel_w; }

int64_t strip_bytes(const Geometry& g) { return strip_columns(g) * g.kernel_h * g.ins; }

bool makes_strips(const Geometry& g, const target::StreamFormat& format) {
  return g.groups == 1 && g.dilation_h == 1 && g.dilation_w == 1 && !runs_without_gaps(g, format) &&
         !shares_columns(g, format) && strip_bytes(g) <= format.strip_bytes &&
         (format.load_unit == 1 || g.segment() % format.load_unit != 0);
}

bool strips_by_columns(const Geometry& g, const target::StreamFormat& format) {
  const auto groups = [&](int64_t windows) { return (windows + format.run_windows - 1) / format.run_windows; };
  return makes_strips(g, format) && g.batch == 1 && g.ins <= kImageChannels &&
         strip_bytes(transposed(g)) <= format.strip_bytes &&
         4 * g.out_w * groups(g.out_h) <= 3 * g.out_h * groups(g.out_w);
}

Geometry as_strips_run(const Geometry& g, const target::StreamFormat& format) {
  return strips_by_columns(g, format) ? transposed(g) : g;
}

int64_t window_place(const Geometry& g, const target::StreamFormat& format, int64_t i, int64_t ky, int64_t kx) {
  const bool column_first = makes_strips(g, format) && !strips_by_columns(g, format);
  return (column_first ? kx * g.kernel_h + ky : ky * g.kernel_w + kx) * g.group_ins() + i;
}

Geometry as_rows_run(Geometry g) { return g.depthwise_by_columns() ? transposed(g) : g; }

target::DepthwiseKernel depthwise_kernel(const Geometry& g) {
  const Geometry rows = as_rows_run(g);
  const bool by_columns = g.depthwise_by_columns();
  return {.channels = g.ins,
          .multiplier = g.group_outs(),
          .height = rows.kernel_h,
          .width = rows.kernel_w,
          .dilation = rows.dilation_w,
          .stride = rows.stride_w,
          .rows_are_neighbours = rows.stride_h == 1 && rows.dilation_h == 1,
          .outputs = rows.out_w,
          .pixel_out = by_columns ? g.out_w * g.outs : g.outs,
          .row_out = by_columns ? g.outs : g.out_w * g.outs};
}

int64_t depthwise_tap(const Geometry& g, int64_t ky, int64_t kx) {
  return g.depthwise_by_columns() ? kx * g.kernel_h + ky : ky * g.kernel_w + kx;
}

Geometry flattened(Geometry g) {
  const bool pixel_by_pixel =
      g.kernel_h * g.kernel_w * g.stride_h * g.stride_w == 1 && g.out_h == g.in_h && g.out_w == g.in_w && !g.pads();
  if (!pixel_by_pixel || g.depthwise()) return g;
  g.in_w *= g.in_h * g.batch;
  g.out_w = g.in_w;
  g.batch = g.in_h = g.out_h = 1;
  return g;
}

}  // namespace fold8::ops::conv
