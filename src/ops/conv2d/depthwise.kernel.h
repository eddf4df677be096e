// Depthwise convolution over NHWC int8: output channel c * m + j sees input channel c alone (m = outs / ins).
//   y[oy][ox][o] = clamp(zero + R(sum over ky, kx of x[iy][ix][o / m] * w[o][ky][kx] + kernel_sum[o]))
// Each output pixel is made from pointers to the pixels under its window; a tap in the padding points to a pixel that
// holds the input's zero point, so that there is one loop for the middle and the borders.
#pragma once

#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// padding_at: one pixel (ins bytes) of scratch for the zero point, where windows reach the padding (s.padding). w:
// [outs][kKernelH][kKernelW].
template <class Isa, bool kPerChannel, int32_t kKernelH, int32_t kKernelW>
struct Depthwise {
  const ConvShape& s;
  const Output& out;
  Rows x;
  const int8_t* w;
  const int32_t* kernel_sum;
  const Rescale* rescales;
  int32_t padding_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    all_rows(memory, s.batch, *this);
  }

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    constexpr int32_t kTaps = kKernelH * kKernelW;
    const int8_t* rows[kKernelH];
    conv_rows(s, x, memory, image, oy, rows);
    int8_t* const padding = at<int8_t>(memory, padding_at);
    fill_bytes(padding, s.input_zero, s.padding);
    int8_t* to = y.row(memory, image, oy);
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
        for (int32_t j = 0; j < s.group_outs; ++j, weight += kTaps, rescale += kPerChannel ? 1 : 0) {
          int32_t acc = *sum++;
          for (int32_t t = 0; t < kTaps; ++t) acc += taps[t][c] * weight[t];
          *to++ = requantize<Isa>(acc, *rescale, out);
        }
    }
  }
};

}  // namespace v0_1
}  // namespace f8k
