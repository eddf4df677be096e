// Depthwise convolution over NHWC int8: output channel c * m + j sees input channel c alone (m = outs / ins).
//   y[oy][ox][o] = clamp(zero + R(sum over ky, kx of x[iy][ix][o / m] * w[ky][kx][o] + kernel_sum[o]))
#pragma once

#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// rows[ky]: the input rows of this output row, null for padding. w: [kKernelH][kernel_w][outs].
template <class Isa, bool kPerChannel, int32_t kKernelH>
void depthwise_row(const ConvShape& s, const Output& out, const int8_t* const* rows, const int8_t* w, const int32_t* kernel_sum,
                   const Rescale* rescales, int8_t* y) {
  const int32_t multiplier = s.outs / s.ins;
  int32_t window = -s.pad_left;  // column of the window's first tap
  for (int32_t ox = 0; ox < s.out_w; ++ox, window += s.stride_w) {
    int32_t o = 0;
    for (int32_t c = 0; c < s.ins; ++c) {
      for (int32_t j = 0; j < multiplier; ++j, ++o) {
        int32_t acc = kernel_sum[o];
        const int8_t* tap = w + o;
        for (int32_t ky = 0; ky < kKernelH; ++ky) {
          int32_t ix = window;
          for (int32_t kx = 0; kx < s.kernel_w; ++kx, ix += s.dilation_w, tap += s.outs) {
            const bool padding = rows[ky] == nullptr || ix < 0 || ix >= s.in_w;
            acc += (padding ? s.input_zero : rows[ky][ix * s.ins + c]) * *tap;
          }
        }
        *y++ = requantize<Isa>(acc, rescales[kPerChannel ? o : 0], out);
      }
    }
  }
}

template <class Isa, bool kPerChannel, int32_t kKernelH>
void depthwise(const ConvShape& s, const Output& out, const int8_t* x, const int8_t* w, const int32_t* kernel_sum, const Rescale* rescales,
               int8_t* y) {
  for (int32_t b = 0; b < s.batch; ++b, x += s.in_h * s.in_w * s.ins) {
    for (int32_t oy = 0; oy < s.out_h; ++oy, y += s.out_w * s.outs) {
      const int8_t* rows[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky)
        rows[ky] = conv_input_row(s, x, oy * s.stride_h - s.pad_top + ky * s.dilation_h);
      depthwise_row<Isa, kPerChannel, kKernelH>(s, out, rows, w, kernel_sum, rescales, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
