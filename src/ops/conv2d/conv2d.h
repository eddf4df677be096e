// What the files of this op share: the sizes of a convolution, and how its kernels see them.
#pragma once

#include <algorithm>
#include <vector>

#include "ir/infer.h"
#include "target/stream.h"

namespace fold8::ops::conv {

using Ints = std::vector<int64_t>;

inline bool packed(const ir::Program& p) { return p.form >= ir::Form::packed; }
inline bool nhwc(const ir::Node& node) { return node.attrs.has("layout"); }

// Every size of one convolution, whatever the layout and the form.
struct Geometry {
  int64_t batch, in_h, in_w, ins, out_h, out_w, outs, kernel_h, kernel_w;
  int64_t stride_h, stride_w, top, bottom, left, right, dilation_h, dilation_w, groups;

  int64_t group_ins() const { return ins / groups; }
  bool depthwise() const { return groups > 1 && groups == ins; }
  int64_t group_outs() const { return outs / groups; }
  bool depthwise_by_columns() const { return depthwise() && out_w == in_w && out_h > out_w; }
  int64_t segment() const { return kernel_w * group_ins(); }  // bytes of a window in one row
  int64_t window() const { return kernel_h * segment(); }
  bool pads() const { return std::max({top, bottom, left, right}) > 0; }
  bool rows_are_contiguous() const { return groups == 1 && (dilation_w == 1 || kernel_w == 1); }
};

Geometry geometry(const ir::Program& p, const ir::Node& node);

inline constexpr int64_t kMostRowRoom = 16;  // rows of a window that a kernel shared by several heights has room for

ir::Windows windows_of(const Geometry& g);

// Whether the stream is the one for 3x3 windows that stand side by side, of whole vectors of channels.
bool shares_columns(const Geometry& g, const target::StreamFormat& format);

// Whether the stream is the one for rows of windows without gaps.
bool runs_without_gaps(const Geometry& g, const target::StreamFormat& format);

// Columns of the padded image, as the strip's rows run, that windows see; and bytes of a strip of them.
int64_t strip_columns(const Geometry& g);
int64_t strip_bytes(const Geometry& g);

// Whether the windows come from a strip: where what they have of a row is not what the microkernel loads at once. And
// whether its rows are the image's columns: where that leaves a quarter fewer groups of windows. That keeps results
// from being written over the input, so only small inputs come so (ops/conv2d/conv2d_strip.kernel.h).
bool makes_strips(const Geometry& g, const target::StreamFormat& format);
bool strips_by_columns(const Geometry& g, const target::StreamFormat& format);

// The convolution as the strip's rows run.
Geometry as_strips_run(const Geometry& g, const target::StreamFormat& format);

// Where w[o, i, ky, kx] stands among the weights of an output channel in the stream.
int64_t window_place(const Geometry& g, const target::StreamFormat& format, int64_t i, int64_t ky, int64_t kx);

// How windows reach a stream's microkernel: what a row, or a pixel, has of one at once; padding as a pixel of zero
// points; or a copy of the window gathered byte by byte.
struct WindowLoads {
  bool rows, taps, padding, gathered;

  WindowLoads(const Geometry& g, int64_t unit)
      : rows(g.rows_are_contiguous() && g.segment() % unit == 0),
        taps(g.group_ins() % unit == 0),
        padding(g.pads() && taps),
        gathered(!taps && (g.pads() || !rows)) {}
  WindowLoads(const Geometry& g, const target::Target& target) : WindowLoads(g, load_unit(target)) {}

  int64_t extra_bytes(const Geometry& g) const { return gathered ? g.window() : padding ? g.group_ins() : 0; }

 private:
  static int64_t load_unit(const target::Target& target) {
    const target::StreamFormat* format = target::stream_format(target.isa);
    return format == nullptr ? 1 : format->load_unit;
  }
};

// A depthwise convolution as its stream and kernel see it: longer rows cost less, so the image's columns can be the
// rows (ops/conv2d/depthwise_stream.kernel.h says why only where they keep their number).
Geometry as_rows_run(Geometry g);

target::DepthwiseKernel depthwise_kernel(const Geometry& g);

// Where w[ky, kx] stands among an output channel's taps in the stream.
int64_t depthwise_tap(const Geometry& g, int64_t ky, int64_t kx);

// A 1x1 convolution without stride or padding sees no rows: one row of all pixels leaves fewer tails.
Geometry flattened(Geometry g);

// import.cc: conv1d and conv2d with padding as numbers or a mode, and convolution.
Result<> import_conv(ir::ImportCall& call);
Result<> import_convolution(ir::ImportCall& call);

// calls.cc: the kernel and its scratch (OpDef::calls, rows, scratch_bytes).
std::vector<ir::KernelCall> calls(const ir::Program& p, const ir::Node& node, const target::Target& target);
std::optional<ir::KernelCall> rows(const ir::Program& p, const ir::Node& node, const target::Target& target);
int64_t scratch_bytes(const ir::Program& p, const ir::Node& node, const target::Target& target);

// touches.cc: the order in which the kernels read and write (Access::touches).
std::vector<ir::Touch> touches(const ir::Program& p, const ir::Node& node, const target::Target& target,
                               std::optional<int64_t> row);

}  // namespace fold8::ops::conv
