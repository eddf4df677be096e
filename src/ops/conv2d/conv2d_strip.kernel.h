// conv2d of few input channels over weights that come as a stream: see conv2d.kernel.h for the formula. What the
// windows of an output row see lies as a strip in scratch: one column of the padded image after the other, each of its
// pixels below one another under the windows. So a window is bytes without gaps, in the order [kx][ky][channel]. The
// rows can be the image's columns, by steps between pixels. All windows of a row are read before any of its results is
// stored.
#pragma once

#include "core/address.h"
#include "core/clamp_elements.h"
#include "core/relu.h"
#include "core/requantize.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

struct StripShape {
  int32_t batch, ins, outs;
  int32_t pixel_in, pixel_out;  // bytes between neighbours of a row
  int32_t kernel_h, stride_h, pad_top;
  int32_t columns;       // of the strip
  int32_t left, inside;  // of them before the image, and in it
  int32_t skipped;       // bytes of a row before the first pixel that windows see
  int32_t step;          // bytes between windows in the strip
  int32_t window_bytes;
  int32_t windows;  // of a row
  int32_t input_zero;
};

// buffer_at, aligned to 4: as in Conv2dStream. strip_at: the strip.
template <class Isa, bool kRelu = false>
struct Conv2dStrip {
  using Kernels = KernelsOf<Isa, kRelu>;

  const StripShape& s;
  const Output& out;
  Rows x;
  const int32_t* stream;
  int32_t buffer_at;
  int32_t strip_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    all_rows(memory, s.batch, *this);
  }

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    int8_t* const strip = at<int8_t>(memory, strip_at);
    fill_strip(memory, image, oy, strip);
    int8_t* to = y.row(memory, image, oy);
    Kernels::gemm_run(stream, out, s.window_bytes, strip, s.step, s.windows, at<uint32_t>(memory, buffer_at), to,
                      s.pixel_out);
    if (out.lo > -128 || out.hi < 127)
      for (int32_t i = 0; i < s.windows; ++i, to += s.pixel_out) clamp_elements<Isa>(s.outs, out.lo, out.hi, to, to);
  }

 private:
  template <class Memory>
  void fill_strip(Memory memory, int32_t image, int32_t oy, int8_t* strip) const {
    const int32_t column = s.kernel_h * s.ins;
    int32_t iy = oy * s.stride_h - s.pad_top;
    const bool whole = iy >= 0 && iy + s.kernel_h <= x.count;
    const int32_t end = s.left + s.inside;
    Isa::fill(strip, s.input_zero, (whole ? s.left : s.columns) * column);
    Isa::fill(strip + end * column, s.input_zero, (s.columns - end) * column);
    strip += s.left * column;
    if constexpr (Isa::kSpreadsThrees) {
      if (whole && s.kernel_h == 3 && s.ins == 3 && s.pixel_in == 3 && s.inside > 0) {
        const int8_t* const rows[3] = {x.row(memory, image, iy) + s.skipped, x.row(memory, image, iy + 1) + s.skipped,
                                       x.row(memory, image, iy + 2) + s.skipped};
        return Isa::spread_threes(rows, s.inside, strip);
      }
    }
    for (int32_t ky = 0; ky < s.kernel_h; ++ky, ++iy, strip += s.ins)
      if (const int8_t* const row = x.row(memory, image, iy))
        Isa::spread(row + s.skipped, s.pixel_in, s.ins, s.inside, strip, column);
  }
};

}  // namespace v0_1
}  // namespace f8k
