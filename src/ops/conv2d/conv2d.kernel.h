// 2-D convolution over NHWC int8, any kernel, stride, padding, dilation and groups:
//   y[oy][ox][o] = clamp(zero + R(sum over ky, kx, i of x[iy][ix][i] * w[o][ky][kx][i] + kernel_sum[o]))
//   iy = oy * stride - pad + ky * dilation, ix likewise. Padding holds the input's zero point, so that kernel_sum,
//   which subtracts zero_point * sum(w) for every tap, stays right at the borders (docs/arithmetic.md section 3).
// conv2d_row makes one output row from pointers to its input rows: a whole tensor, a ring of rows or a padded border
// are the same kernel under different pointers.
#pragma once

#include <string.h>

#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct ConvShape {
  int32_t batch, in_h, in_w, ins;
  int32_t out_h, out_w, outs;
  int32_t kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  int32_t groups;
  int32_t input_zero;
};

// Input row `iy` of the image at x, or null where it is padding.
inline const int8_t* conv_input_row(const ConvShape& s, const int8_t* x, int32_t iy) {
  return iy < 0 || iy >= s.in_h ? nullptr : x + iy * s.in_w * s.ins;
}

// The window's bytes of one row for one group of channels, padding filled in: kernel_w * (ins / groups) bytes to `to`.
inline void conv_gather(const ConvShape& s, const int8_t* row, int32_t ix, int32_t group, int8_t* to) {
  const int32_t width = s.ins / s.groups;
  for (int32_t kx = 0; kx < s.kernel_w; ++kx, ix += s.dilation_w, to += width) {
    if (row == nullptr || ix < 0 || ix >= s.in_w) {
      memset(to, s.input_zero, static_cast<uint32_t>(width));
    } else {
      memcpy(to, row + ix * s.ins + group * width, static_cast<uint32_t>(width));
    }
  }
}

// rows[ky]: the input rows of this output row, null for padding. w: per group, per row group of Isa::kGemmOrder, per
// ky: the block of [out_block][kernel_w * ins / groups]. patch: kKernelH * kernel_w * (ins / groups) bytes of scratch,
// used where a window is not contiguous bytes of its rows; null when no window is.
template <class Isa, bool kPerChannel, int32_t kKernelH>
void conv2d_row(const ConvShape& s, const Output& out, const int8_t* const* rows, const int8_t* w,
                const int32_t* kernel_sum, const Rescale* rescales, int8_t* patch, int8_t* y) {
  constexpr int32_t kRows = Isa::kGemmOrder.out_block;
  const int32_t segment = s.kernel_w * (s.ins / s.groups);
  const int32_t block_bytes = static_cast<int32_t>(Isa::kGemmOrder.bytes(kRows, segment));
  const int32_t group_outs = s.outs / s.groups;
  const bool contiguous = s.groups == 1 && (s.dilation_w == 1 || s.kernel_w == 1);
  int32_t ix = -s.pad_left;
  for (int32_t ox = 0; ox < s.out_w; ++ox, ix += s.stride_w) {
    const bool inside = contiguous && ix >= 0 && ix + s.kernel_w <= s.in_w;
    const int8_t* block = w;
    const int32_t* sums = kernel_sum;
    for (int32_t group = 0; group < s.groups; ++group, sums += group_outs) {
      const int8_t* window[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky) {
        if (inside && rows[ky] != nullptr) {
          window[ky] = rows[ky] + ix * s.ins;
        } else {
          conv_gather(s, rows[ky], ix, group, patch + ky * segment);
          window[ky] = patch + ky * segment;
        }
      }
      for (int32_t o = 0; o < group_outs; o += kRows) {
        const int32_t lanes = group_outs - o < kRows ? group_outs - o : kRows;
        int32_t acc[kRows] = {};
        for (int32_t j = 0; j < lanes; ++j) acc[j] = sums[o + j];
        for (int32_t ky = 0; ky < kKernelH; ++ky, block += block_bytes) Isa::dot_rows(window[ky], block, segment, acc);
        for (int32_t j = 0; j < lanes; ++j)
          *y++ = requantize<Isa>(acc[j], rescales[kPerChannel ? group * group_outs + o + j : 0], out);
      }
    }
  }
}

template <class Isa, bool kPerChannel, int32_t kKernelH>
void conv2d(const ConvShape& s, const Output& out, const int8_t* x, const int8_t* w, const int32_t* kernel_sum,
            const Rescale* rescales, void* scratch, int8_t* y) {
  int8_t* patch = static_cast<int8_t*>(scratch);
  for (int32_t b = 0; b < s.batch; ++b, x += s.in_h * s.in_w * s.ins) {
    for (int32_t oy = 0; oy < s.out_h; ++oy, y += s.out_w * s.outs) {
      const int8_t* rows[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky)
        rows[ky] = conv_input_row(s, x, oy * s.stride_h - s.pad_top + ky * s.dilation_h);
      conv2d_row<Isa, kPerChannel, kKernelH>(s, out, rows, w, kernel_sum, rescales, patch, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
