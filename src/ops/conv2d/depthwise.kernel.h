// Depthwise convolution over NHWC int8: output channel c * m + j sees input channel c alone (m = outs / ins).
//   y[oy][ox][o] = clamp(zero + R(sum over ky, kx of x[iy][ix][o / m] * w[o][ky][kx] + kernel_sum[o]))
// Each output pixel is made from pointers to the pixels under its window; a tap in the padding points to a pixel that
// holds the input's zero point, so that there is one loop for the middle and the borders.
#pragma once

#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// rows[ky]: the input rows of this output row, null for padding. padding: one pixel (ins bytes) of the zero point, null
// when no window reaches the padding. w: [outs][kKernelH][kKernelW].
template <class Isa, bool kPerChannel, int32_t kKernelH, int32_t kKernelW>
void depthwise_row(const ConvShape& s, const Output& out, const int8_t* const* rows, const int8_t* w,
                   const int32_t* kernel_sum, const Rescale* rescales, const int8_t* padding, int8_t* y) {
  constexpr int32_t kTaps = kKernelH * kKernelW;
  const int32_t multiplier = s.outs / s.ins;
  int32_t window = -s.pad_left;  // column of the window's first tap
  for (int32_t ox = 0; ox < s.out_w; ++ox, window += s.stride_w) {
    const int8_t* taps[kTaps];
    for (int32_t ky = 0; ky < kKernelH; ++ky)
      for (int32_t kx = 0; kx < kKernelW; ++kx) {
        const int32_t ix = window + kx * s.dilation_w;
        const bool outside = rows[ky] == nullptr || ix < 0 || ix >= s.in_w;
        taps[ky * kKernelW + kx] = outside ? padding : rows[ky] + ix * s.ins;
      }
    const int8_t* weight = w;
    const int32_t* sum = kernel_sum;
    const Rescale* rescale = rescales;
    for (int32_t c = 0; c < s.ins; ++c)
      for (int32_t j = 0; j < multiplier; ++j, weight += kTaps, rescale += kPerChannel ? 1 : 0) {
        int32_t acc = *sum++;
        for (int32_t t = 0; t < kTaps; ++t) acc += taps[t][c] * weight[t];
        *y++ = requantize<Isa>(acc, *rescale, out);
      }
  }
}

template <class Isa, bool kPerChannel, int32_t kKernelH, int32_t kKernelW>
void depthwise(const ConvShape& s, const Output& out, const int8_t* x, const int8_t* w, const int32_t* kernel_sum,
               const Rescale* rescales, int8_t* padding, int8_t* y) {
  if (padding != nullptr) memset(padding, s.input_zero, static_cast<uint32_t>(s.ins));
  for (int32_t b = 0; b < s.batch; ++b, x += s.in_h * s.in_w * s.ins) {
    for (int32_t oy = 0; oy < s.out_h; ++oy, y += s.out_w * s.outs) {
      const int8_t* rows[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky)
        rows[ky] = conv_input_row(s, x, oy * s.stride_h - s.pad_top + ky * s.dilation_h);
      depthwise_row<Isa, kPerChannel, kKernelH, kKernelW>(s, out, rows, w, kernel_sum, rescales, padding, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
