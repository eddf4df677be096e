// 2-D convolution over NHWC int8, any kernel, stride, padding, dilation and groups:
//   y[oy][ox][o] = clamp(zero + R(sum over ky, kx, i of x[iy][ix][i] * w[o][ky][kx][i] + kernel_sum[o]))
//   iy = oy * stride - pad + ky * dilation, ix likewise. Padding holds the input's zero point, so that kernel_sum,
//   which subtracts zero_point * sum(w) for every tap, stays right at the borders (docs/arithmetic.md section 3).
// row() makes one output row from pointers to its input rows: a whole tensor, a ring of rows or a padded border are the
// same kernel under different pointers.
#pragma once

#include "core/address.h"
#include "core/copy_bytes.h"
#include "core/requantize.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

struct ConvShape {
  int32_t batch, in_h, in_w, ins;
  int32_t out_h, out_w, outs;
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  int32_t groups, group_ins, group_outs;
  int32_t window_bytes;  // kernel_h * kernel_w * group_ins
  int32_t
      row_loads;  // 1: what a window inside the image has of a row is contiguous, and a multiple of what the Isa loads
  int32_t tap_loads;  // 1: what it has of a pixel is a multiple of what the Isa loads
  int32_t padding;    // bytes of a pixel of zero points, for taps outside the image; 0 where nothing reads it
  int32_t input_zero;
};

// rows[ky]: the input row under row ky of the windows of output row oy. Whether all are inside the image.
template <class Memory>
inline bool conv_rows(const ConvShape& s, const Rows& x, Memory memory, int32_t image, int32_t oy,
                      const int8_t** rows) {
  bool inside = true;
  int32_t iy = oy * s.stride_h - s.pad_top;
  for (int32_t ky = 0; ky < s.kernel_h; ++ky, iy += s.dilation_h) {
    rows[ky] = x.row(memory, image, iy);
    inside = inside && rows[ky] != nullptr;
  }
  return inside;
}

// The bytes of one row of a window for one group of channels, padding filled in: kernel_w * group_ins bytes to `to`.
template <class Isa>
inline void conv_gather(const ConvShape& s, const int8_t* row, int32_t ix, int32_t group, int8_t* to) {
  if (row != nullptr && s.group_ins == s.ins && s.dilation_w == 1 && ix >= 0 && ix + s.kernel_w <= s.in_w)
    return Isa::copy(to, row + ix * s.ins, s.kernel_w * s.ins);
  for (int32_t kx = 0; kx < s.kernel_w; ++kx, ix += s.dilation_w, to += s.group_ins) {
    if (row == nullptr || ix < 0 || ix >= s.in_w) {
      fill_bytes(to, s.input_zero, s.group_ins);
    } else {
      Isa::copy(to, row + ix * s.ins + group * s.group_ins, s.group_ins);
    }
  }
}

// w: per group, per row group of Isa::kGemmOrder, per ky: the block of [out_block][kernel_w * group_ins]. patch_at:
// window_bytes of scratch, used where a window is not contiguous bytes of its rows. kMaxRows: kernel_h or more.
template <class Isa, bool kPerChannel, int32_t kMaxRows>
struct Conv2d {
  const ConvShape& s;
  const Output& out;
  Rows x;
  const int8_t* w;
  const int32_t* kernel_sum;
  const Rescale* rescales;
  int32_t patch_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    all_rows(memory, s.batch, *this);
  }

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    constexpr int32_t kOuts = Isa::kGemmOrder.out_block;
    const int8_t* rows[kMaxRows];
    conv_rows(s, x, memory, image, oy, rows);
    int8_t* const patch = at<int8_t>(memory, patch_at);
    const int32_t segment = s.kernel_w * s.group_ins;
    const int32_t block_bytes = static_cast<int32_t>(Isa::kGemmOrder.bytes(kOuts, segment));
    const bool contiguous = s.groups == 1 && (s.dilation_w == 1 || s.kernel_w == 1);
    int8_t* to = y.row(memory, image, oy);
    int32_t ix = -s.pad_left;
    for (int32_t ox = 0; ox < s.out_w; ++ox, ix += s.stride_w) {
      const bool inside = contiguous && ix >= 0 && ix + s.kernel_w <= s.in_w;
      const int8_t* block = w;
      int32_t channel = 0;
      for (int32_t group = 0; group < s.groups; ++group) {
        const int8_t* window[kMaxRows];
        for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
          if (inside && rows[ky] != nullptr) {
            window[ky] = rows[ky] + ix * s.ins;
          } else {
            conv_gather<Isa>(s, rows[ky], ix, group, patch + ky * segment);
            window[ky] = patch + ky * segment;
          }
        }
        for (int32_t left = s.group_outs; left > 0; left -= kOuts) {
          const int32_t lanes = left < kOuts ? left : kOuts;
          int32_t acc[kOuts];
          for (int32_t j = 0; j < kOuts; ++j) acc[j] = j < lanes ? kernel_sum[channel + j] : 0;
          for (int32_t ky = 0; ky < s.kernel_h; ++ky, block += block_bytes)
            Isa::dot_rows(window[ky], block, segment, acc);
          for (int32_t j = 0; j < lanes; ++j, ++channel)
            *to++ = requantize<Isa>(acc[j], rescales[kPerChannel ? channel : 0], out);
        }
      }
    }
  }
};

}  // namespace v0_1
}  // namespace f8k
