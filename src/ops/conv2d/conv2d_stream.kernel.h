// conv2d over weights that come as a stream with sums and scales inside (the Isa's own order): see conv2d.kernel.h for
// the formula. The windows of a few pixels at a time are loaded into a small buffer, in the order [ky][kx][channel]; no
// im2col of the whole input. All of them are loaded before any result is stored, so results may be written over input
// that no later window reads.
#pragma once

#include "core/clamp_elements.h"
#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// Loads the window at column ix of one group of channels as pixel `pixel` of `pixels`. whole: all rows are inside the
// image. extra: a pixel of zero points, or room for a window where pixels are no multiple of 4 bytes.
template <class Isa>
void conv_load(const ConvShape& s, const int8_t* const* rows, bool whole, int32_t ix, int32_t group, int32_t pixel,
               int32_t pixels, uint32_t* buffer, int8_t* extra) {
  const int32_t segment = s.kernel_w * s.group_ins;
  if (s.row_loads && whole && ix >= 0 && ix + s.kernel_w <= s.in_w) {
    for (int32_t ky = 0, at = 0; ky < s.kernel_h; ++ky, at += segment)
      Isa::load(rows[ky] + ix * s.ins, segment, at, pixel, pixels, buffer);
  } else if (s.tap_loads) {
    int32_t at = 0;
    for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
      int32_t column = ix;
      for (int32_t kx = 0; kx < s.kernel_w; ++kx, column += s.dilation_w, at += s.group_ins) {
        const bool outside = rows[ky] == nullptr || column < 0 || column >= s.in_w;
        Isa::load(outside ? extra : rows[ky] + column * s.ins + group * s.group_ins, s.group_ins, at, pixel, pixels,
                  buffer);
      }
    }
  } else {
    for (int32_t ky = 0; ky < s.kernel_h; ++ky) conv_gather<Isa>(s, rows[ky], ix, group, extra + ky * segment);
    Isa::load(extra, s.window_bytes, 0, pixel, pixels, buffer);
  }
}

// scratch_at, aligned to 4: the windows of Isa::kStreamPixels pixels as the Isa's microkernel reads them. extra_at:
// what conv_load() calls extra. kMaxRows: kernel_h or more.
template <class Isa, int32_t kMaxRows>
struct Conv2dStream {
  const ConvShape& s;
  const Output& out;
  Rows x;
  const int32_t* stream;
  int32_t scratch_at;
  int32_t extra_at;
  Rows y;

  void run(uint8_t* arena) const { all_rows(arena, s.batch, *this); }

  void row(uint8_t* arena, int32_t image, int32_t oy) const {
    const int8_t* rows[kMaxRows];
    const bool whole = conv_rows(s, x, arena, image, oy, rows);
    uint32_t* buffer = at<uint32_t>(arena, scratch_at);
    int8_t* extra = at<int8_t>(arena, extra_at);
    fill_bytes(extra, s.input_zero, s.padding);
    int8_t* const to = y.row(arena, image, oy);
    const int32_t* weights = stream;
    for (int32_t group = 0; group < s.groups; ++group, weights += weights[0]) {
      int8_t* pixel = to + group * s.group_outs;
      int32_t ix = -s.pad_left;
      for (int32_t left = s.out_w; left > 0; left -= Isa::kStreamPixels) {
        const int32_t pixels = left < Isa::kStreamPixels ? left : Isa::kStreamPixels;
        int8_t* results[Isa::kStreamPixels];
        for (int32_t i = 0; i < pixels; ++i, ix += s.stride_w, pixel += s.outs) {
          conv_load<Isa>(s, rows, whole, ix, group, i, pixels, buffer, extra);
          results[i] = pixel;
        }
        Isa::gemm(weights, out, s.window_bytes, pixels, buffer, results);
      }
    }
    if (out.lo > -128 || out.hi < 127) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, to, to);
  }
};

}  // namespace v0_1
}  // namespace f8k
