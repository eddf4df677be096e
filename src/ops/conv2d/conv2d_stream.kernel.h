// conv2d over weights that come as a stream with sums and scales inside (the Isa's own order): see conv2d.kernel.h for
// the formula. Some pixels' windows at a time are loaded into a small buffer, row by row of the window, each row of it
// padded to four bytes; no im2col of the whole input.
#pragma once

#include "core/clamp_elements.h"
#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// Bytes of one row of a window, padded.
inline int32_t conv_segment(const ConvShape& s) { return (s.kernel_w * (s.ins / s.groups) + 3) & ~3; }

// Loads the window at column ix of one group of channels as pixel `pixel` of `pixels`.
template <class Isa, int32_t kKernelH>
void conv_load(const ConvShape& s, const int8_t* const* rows, int32_t ix, int32_t group, int32_t pixel, int32_t pixels,
               uint32_t* buffer, int8_t* patch) {
  const int32_t bytes = s.kernel_w * (s.ins / s.groups);
  const int32_t segment = conv_segment(s);
  const bool inside = s.groups == 1 && (s.dilation_w == 1 || s.kernel_w == 1) && ix >= 0 && ix + s.kernel_w <= s.in_w;
  for (int32_t ky = 0; ky < kKernelH; ++ky) {
    const int8_t* window = patch;
    if (inside && rows[ky] != nullptr) {
      window = rows[ky] + ix * s.ins;
    } else {
      conv_gather(s, rows[ky], ix, group, patch);
    }
    Isa::load(window, bytes, ky * segment, pixel, pixels, buffer);
  }
}

// buffer: scratch for the windows of Isa::kStreamPixels pixels, laid out as the Isa's microkernel reads them. patch:
// scratch, one row of a window; never used when no window needs gathering.
template <class Isa, bool kClamp, int32_t kKernelH>
void conv2d_stream_row(const ConvShape& s, const Output& out, const int8_t* const* rows, const int32_t* stream,
                       uint32_t* buffer, int8_t* patch, int8_t* y) {
  const int32_t ins = kKernelH * conv_segment(s);
  const int32_t group_outs = s.outs / s.groups;
  for (int32_t group = 0; group < s.groups; ++group, stream += stream[0]) {
    for (int32_t ox = 0; ox < s.out_w;) {
      const int32_t pixels = s.out_w - ox < Isa::kStreamPixels ? s.out_w - ox : Isa::kStreamPixels;
      int8_t* results[Isa::kStreamPixels];
      for (int32_t i = 0; i < pixels; ++i) {
        conv_load<Isa, kKernelH>(s, rows, (ox + i) * s.stride_w - s.pad_left, group, i, pixels, buffer, patch);
        results[i] = y + (ox + i) * s.outs + group * group_outs;
      }
      Isa::gemm(stream, out, ins, pixels, buffer, results);
      ox += pixels;
    }
  }
  if (kClamp) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, y, y);
}

// scratch: aligned to 4; the buffer, and from its byte patch_at on the patch.
template <class Isa, bool kClamp, int32_t kKernelH>
void conv2d_stream(const ConvShape& s, const Output& out, const int8_t* x, const int32_t* stream, int8_t* scratch,
                   int32_t patch_at, int8_t* y) {
  uint32_t* buffer = reinterpret_cast<uint32_t*>(scratch);
  int8_t* patch = scratch + patch_at;
  for (int32_t b = 0; b < s.batch; ++b, x += s.in_h * s.in_w * s.ins) {
    for (int32_t oy = 0; oy < s.out_h; ++oy, y += s.out_w * s.outs) {
      const int8_t* rows[kKernelH];
      for (int32_t ky = 0; ky < kKernelH; ++ky)
        rows[ky] = conv_input_row(s, x, oy * s.stride_h - s.pad_top + ky * s.dilation_h);
      conv2d_stream_row<Isa, kClamp, kKernelH>(s, out, rows, stream, buffer, patch, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
