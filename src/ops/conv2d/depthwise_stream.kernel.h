// Depthwise convolution with as many outputs as inputs, over weights that come as a stream (the Isa's own order): see
// depthwise.kernel.h for the formula. Runs of pixels whose windows lie inside the image go to the microkernel at once.
#pragma once

#include "core/clamp_elements.h"
#include "ops/conv2d/depthwise.kernel.h"

namespace f8k {
inline namespace v0_1 {

// Pixels from ox on whose windows touch no left or right padding; 0 if that of ox does.
inline int32_t depthwise_run(const ConvShape& s, int32_t ox) {
  const int32_t ix = ox * s.stride_w - s.pad_left;
  const int32_t room = s.in_w - 1 - (s.kernel_w - 1) * s.dilation_w - ix;
  if (ix < 0 || room < 0) return 0;
  int32_t run = 1;
  for (int32_t used = s.stride_w; used <= room && ox + run < s.out_w; used += s.stride_w) ++run;
  return run;
}

// padding: one pixel (ins bytes) of the zero point, null when no window reaches the padding.
template <class Isa, bool kClamp, int32_t kKernelH, int32_t kKernelW>
void depthwise_stream_row(const ConvShape& s, const Output& out, const int8_t* const* rows, const int32_t* stream,
                          const int8_t* padding, int8_t* y) {
  constexpr int32_t kTaps = kKernelH * kKernelW;
  constexpr int32_t kPadded = kTaps + kTaps % 2;
  bool whole = true;
  for (int32_t ky = 0; ky < kKernelH; ++ky) whole = whole && rows[ky] != nullptr;
  for (int32_t ox = 0; ox < s.out_w;) {
    const int32_t run = depthwise_run(s, ox);
    const int8_t* taps[kPadded];
    for (int32_t ky = 0; ky < kKernelH; ++ky)
      for (int32_t kx = 0; kx < kKernelW; ++kx) {
        const int32_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
        const bool outside = rows[ky] == nullptr || ix < 0 || ix >= s.in_w;
        taps[ky * kKernelW + kx] = outside ? padding : rows[ky] + ix * s.ins;
      }
    taps[kPadded - 1] = taps[kTaps - 1];  // an odd tap's partner: any pixel, its weight is 0
    const int32_t pixels = whole && run > 0 ? run : 1;
    Isa::depthwise(stream, out, s.ins, kTaps, taps, s.stride_w * s.ins, pixels, y + ox * s.outs);
    ox += pixels;
  }
  if (kClamp) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, y, y);
}

template <class Isa, bool kClamp, int32_t kKernelH, int32_t kKernelW>
void depthwise_stream(const ConvShape& s, const Output& out, const int8_t* x, const int32_t* stream, int8_t* padding,
                      int8_t* y) {
  if (padding != nullptr) memset(padding, s.input_zero, static_cast<uint32_t>(s.ins));
  for (int32_t b = 0; b < s.batch; ++b, x += s.in_h * s.in_w * s.ins) {
    for (int32_t oy = 0; oy < s.out_h; ++oy, y += s.out_w * s.outs) {
      const int8_t* rows[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky)
        rows[ky] = conv_input_row(s, x, oy * s.stride_h - s.pad_top + ky * s.dilation_h);
      depthwise_stream_row<Isa, kClamp, kKernelH, kKernelW>(s, out, rows, stream, padding, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
