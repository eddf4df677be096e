// Which kernel runs a convolution, with what, and the scratch that it needs.
#include <algorithm>

#include "ops/accumulate.h"
#include "ops/conv2d/conv2d.h"

namespace fold8::ops {
extern const ir::OpDef op_conv2d;
}

namespace fold8::ops::conv {

using namespace ir;

namespace {

int64_t buffer_bytes(const Geometry& g, const target::Target& target) {
  const target::StreamFormat& format = *target::stream_format(target.isa);
  const auto bytes = shares_columns(g, format) ? format.columns_buffer_bytes : format.buffer_bytes;
  return bytes(g.window(), g.group_outs(), flattened(as_strips_run(g, format)).out_w);
}

const target::StreamFormat* strip_format(const Node& node, const Geometry& g, const target::Target& target) {
  const target::StreamFormat* format = node.attrs.has("stream") ? target::stream_format(target.isa) : nullptr;
  return format != nullptr && makes_strips(g, *format) ? format : nullptr;
}

// A ring of planar rows, their places, and what a row of results needs (ops/conv2d/depthwise_stream.kernel.h).
int64_t depthwise_scratch_bytes(const Geometry& image, const target::Target& target) {
  const target::DepthwiseKernel kernel = depthwise_kernel(image);
  const target::DepthwiseBlocks blocks = target::stream_format(target.isa)->depthwise_blocks(kernel);
  const int64_t window_rows = kernel.height + blocks.rows - 1;
  const int64_t slots = (window_rows - 1) * as_rows_run(image).dilation_h + 1;
  return slots * blocks.row_bytes + 4 * window_rows + blocks.work_bytes;
}

KernelStruct shape_struct(const Geometry& g, const target::Target& target, int64_t zx) {
  const WindowLoads loads(g, target);
  return {"f8k::ConvShape",
          {{"batch", g.batch},
           {"in_h", g.in_h},
           {"in_w", g.in_w},
           {"ins", g.ins},
           {"out_h", g.out_h},
           {"out_w", g.out_w},
           {"outs", g.outs},
           {"kernel_h", g.kernel_h},
           {"kernel_w", g.kernel_w},
           {"stride_h", g.stride_h},
           {"stride_w", g.stride_w},
           {"pad_top", g.top},
           {"pad_left", g.left},
           {"dilation_h", g.dilation_h},
           {"dilation_w", g.dilation_w},
           {"groups", g.groups},
           {"group_ins", g.group_ins()},
           {"group_outs", g.group_outs()},
           {"window_bytes", g.window()},
           {"row_loads", loads.rows ? 1 : 0},
           {"tap_loads", loads.taps ? 1 : 0},
           {"padding", g.depthwise() && g.pads() ? g.ins
                       : loads.padding           ? g.group_ins()
                                                 : 0},
           {"input_zero", zx}}};
}

KernelStruct output_struct(const Program& p, const Node& node) {
  const Bounds bounds = clamp_bounds(node);
  return {"f8k::Output", {{"zero", p.type(node.outputs[0]).quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}};
}

// Room for the rows of a window, on the stack: an instantiation of a kernel for the usual heights and one for tall
// ones, or one for both where size is preferred (row_room).
std::string max_rows(const Node& node, const Geometry& g) {
  const int64_t usual = node.attrs.has("row_room") ? node.attrs.integer("row_room") : 4;
  return std::to_string(g.kernel_h <= usual ? usual : g.kernel_h <= kMostRowRoom ? kMostRowRoom : g.kernel_h);
}

KernelStruct depthwise_struct(const Geometry& image) {
  const Geometry g = as_rows_run(image);
  return {"f8k::DepthwiseShape",
          {{"batch", g.batch},
           {"in_h", g.in_h},
           {"ins", g.ins},
           {"out_h", g.out_h},
           {"multiplier", g.group_outs()},
           {"stride_h", g.stride_h},
           {"pad_top", g.top},
           {"dilation_h", g.dilation_h},
           {"row_in", image.depthwise_by_columns() ? g.ins : g.in_w * g.ins}}};
}

KernelStruct planar_struct(const Geometry& image, const target::Target& target, int64_t zx) {
  const Geometry g = as_rows_run(image);
  const target::DepthwiseKernel kernel = depthwise_kernel(image);
  const int64_t left = std::min(g.left, kernel.columns());
  return {"f8k::PlanarShape",
          {{"columns", kernel.columns()},
           {"left", left},
           {"inside", std::min(g.in_w, kernel.columns() - left)},
           {"pixel_in", image.depthwise_by_columns() ? image.in_w * g.ins : g.ins},
           {"zero", zx},
           {"kernel_h", g.kernel_h},
           {"kernel_w", g.kernel_w},
           {"stride", g.stride_w},
           {"dilation", g.dilation_w},
           {"outputs", g.out_w},
           {"pixel_out", kernel.pixel_out},
           {"channel_out", g.group_outs()},
           {"row_out", kernel.row_out},
           {"pixel_channels", g.ins},
           {"way", target::stream_format(target.isa)->depthwise_blocks(kernel).way}}};
}

KernelStruct strip_struct(const Geometry& image, const target::StreamFormat& format, int64_t zx) {
  const Geometry g = as_strips_run(image, format);
  const bool by_columns = strips_by_columns(image, format);
  const int64_t pixel_in = by_columns ? image.in_w * g.ins : g.ins;
  const int64_t left = std::clamp<int64_t>(g.left, 0, strip_columns(g));
  const int64_t skipped = std::max<int64_t>(-g.left, 0);
  return {"f8k::StripShape",
          {{"batch", g.batch},
           {"ins", g.ins},
           {"outs", g.outs},
           {"pixel_in", pixel_in},
           {"pixel_out", by_columns ? image.out_w * g.outs : g.outs},
           {"kernel_h", g.kernel_h},
           {"stride_h", g.stride_h},
           {"pad_top", g.top},
           {"columns", strip_columns(g)},
           {"left", left},
           {"inside", std::min(g.in_w - skipped, strip_columns(g) - left)},
           {"skipped", skipped * pixel_in},
           {"step", g.stride_w * g.kernel_h * g.ins},
           {"window_bytes", g.window()},
           {"windows", g.out_w},
           {"input_zero", zx}}};
}

// Rows as the kernel takes them: the image's, or its columns.
KernelRows image_rows(ValueId value, int64_t height, int64_t width, int64_t channels, bool columns) {
  return columns ? KernelRows{value, width, channels} : KernelRows{value, height, width * channels};
}

// Whether the kernels are those for zero points of -128: where every result of a stream has it, as a program of both
// would take both.
bool takes_relu(const Program& p, const target::Target& target) {
  const target::StreamFormat* format = target::stream_format(target.isa);
  return format != nullptr && format->has_relu && std::ranges::all_of(p.nodes, [&](const Node& node) {
           return node.op != &op_conv2d || !node.attrs.has("stream") || p.type(node.outputs[0]).quant->zero == -128;
         });
}

KernelCall strip_kernel(const Program& p, const Node& node, const target::StreamFormat& format,
                        const target::Target& target, const Geometry& g) {
  const bool columns = strips_by_columns(g, format);
  KernelCall call;
  call.is_object = true;
  call.function = "f8k::Conv2dStrip";
  call.header = "ops/conv2d/conv2d_strip.kernel.h";
  call.args = {strip_struct(g, format, p.type(node.inputs[0]).quant->zero),
               output_struct(p, node),
               image_rows(node.inputs[0], g.in_h, g.in_w, g.ins, columns),
               KernelPointer{node.inputs[1]},
               KernelScratch{},
               KernelScratch{buffer_bytes(g, target)},
               image_rows(node.outputs[0], g.out_h, g.out_w, g.outs, columns)};
  return call;
}

// The kernel of windows that come as a stream's microkernel takes them best.
void set_stream_kernel(KernelCall& call, const Node& node, const Geometry& g, const target::Target& target) {
  const target::StreamFormat& format = *target::stream_format(target.isa);
  const bool run = runs_without_gaps(g, format), columns = shares_columns(g, format);
  call.function = run ? "f8k::Conv2dRun" : columns ? "f8k::Conv2dColumns" : "f8k::Conv2dStream";
  call.header = fmt::format("ops/conv2d/conv2d_{}.kernel.h", run ? "run" : columns ? "columns" : "stream");
  if (!run) call.template_args = {max_rows(node, g)};
  if (!run && !columns) call.args.push_back(KernelScratch{buffer_bytes(g, target)});
}

// The kernel of this node over images of the sizes in `g`: its own, or flattened.
KernelCall kernel(const Program& p, const Node& node, const target::Target& target, const Geometry& g) {
  if (const target::StreamFormat* format = strip_format(node, g, target)) {
    KernelCall call = strip_kernel(p, node, *format, target, g);
    if (takes_relu(p, target)) call.template_args.push_back("true");
    return call;
  }
  const bool stream = node.attrs.has("stream");
  const int64_t zx = p.type(node.inputs[0]).quant->zero;
  KernelCall call;
  call.is_object = true;
  if (stream && g.depthwise()) {
    call.args = {depthwise_struct(g), planar_struct(g, target, zx)};
  } else {
    call.args = {shape_struct(g, target, zx)};
  }
  call.args.push_back(output_struct(p, node));
  call.args.push_back(KernelRows{node.inputs[0], g.in_h, g.in_w * g.ins});
  for (size_t i = 1; i < node.inputs.size(); ++i) call.args.push_back(KernelPointer{node.inputs[i]});
  call.args.push_back(KernelScratch{});
  if (stream && g.depthwise()) {
    call.function = "f8k::DepthwiseStream";
    call.header = "ops/conv2d/depthwise_stream.kernel.h";
  } else if (stream) {
    set_stream_kernel(call, node, g, target);
  } else {
    const char* per_channel = p.type(node.inputs[3]).elems() > 1 ? "true" : "false";
    call.function = g.depthwise() ? "f8k::Depthwise" : "f8k::Conv2d";
    call.header = g.depthwise() ? "ops/conv2d/depthwise.kernel.h" : "ops/conv2d/conv2d.kernel.h";
    call.template_args = {per_channel, g.depthwise() ? std::to_string(g.kernel_h) : max_rows(node, g)};
    if (g.depthwise()) call.template_args.push_back(std::to_string(g.kernel_w));
  }
  if (stream && takes_relu(p, target)) call.template_args.push_back("true");
  call.args.push_back(KernelRows{node.outputs[0], g.out_h, g.out_w * g.outs});
  return call;
}

}  // namespace

int64_t scratch_bytes(const Program& p, const Node& node, const target::Target& target) {
  const Geometry g = geometry(p, node);
  if (node.attrs.has("stream") && g.depthwise()) return depthwise_scratch_bytes(g, target);
  if (const target::StreamFormat* format = strip_format(node, g, target))
    return buffer_bytes(g, target) + strip_bytes(as_strips_run(g, *format));
  if (node.attrs.has("stream"))
    return buffer_bytes(g, target) +
           (shares_columns(g, *target::stream_format(target.isa)) ? 0 : WindowLoads(g, target).extra_bytes(g));
  if (g.depthwise()) return g.pads() ? g.ins : 0;
  return g.rows_are_contiguous() && !g.pads() ? 0 : g.window();
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target& target) {
  return {kernel(p, node, target, flattened(geometry(p, node)))};
}

std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target& target) {
  const Geometry g = geometry(p, node);
  if (node.attrs.has("stream") && g.depthwise_by_columns()) return std::nullopt;
  const target::StreamFormat* format = strip_format(node, g, target);
  if (format != nullptr && strips_by_columns(g, *format)) return std::nullopt;
  return kernel(p, node, target, g);
}

}  // namespace fold8::ops::conv
