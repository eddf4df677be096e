// conv2d over weights that come as a stream with sums and scales inside (the Isa's own order): see conv2d.kernel.h for
// the formula. The windows of a few pixels at a time are loaded into a small buffer, in the order [ky][kx][channel]; no
// im2col of the whole input. All of them are loaded before any result is stored, so results may be written over input
// that no later window reads.
#pragma once

#include "core/clamp_elements.h"
#include "core/relu.h"
#include "core/rescale.h"
#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// Where the windows of a row of one group of channels come from and go to. whole: all rows are inside the image. extra:
// a pixel of zero points, or room for a window where pixels are no multiple of what the Isa loads.
struct ConvLoad {
  const int8_t* const* rows;
  bool whole;
  int32_t group;
  uint32_t* buffer;
  int8_t* extra;
};

// Loads `taps` taps of padding from byte `at` of the window on; returns the byte behind them.
template <class Isa>
int32_t conv_load_padding(const ConvShape& s, const ConvLoad& l, int32_t taps, int32_t at, int32_t pixel,
                          int32_t pixels) {
  for (; taps > 0; --taps, at += s.group_ins) Isa::load(l.extra, s.group_ins, at, pixel, pixels, l.buffer);
  return at;
}

// Loads the window at column ix as pixel `pixel` of `pixels`: what a row has inside the image at once, padding by taps.
template <class Isa>
[[gnu::noinline]] void conv_load_rows(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel,
                                      int32_t pixels) {
  const int32_t first = clamp(-ix, 0, s.kernel_w);
  const int32_t end = clamp(s.in_w - ix, first, s.kernel_w);
  int32_t at = 0;
  for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
    const int8_t* const row = l.rows[ky];
    const int32_t inside = row == nullptr ? 0 : end - first;
    if (inside < s.kernel_w) at = conv_load_padding<Isa>(s, l, inside == 0 ? s.kernel_w : first, at, pixel, pixels);
    if (inside == 0) continue;
    Isa::load(row + (ix + first) * s.ins, inside * s.ins, at, pixel, pixels, l.buffer);
    at = conv_load_padding<Isa>(s, l, s.kernel_w - end, at + inside * s.ins, pixel, pixels);
  }
}

// The same tap by tap.
template <class Isa>
[[gnu::noinline]] void conv_load_taps(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel,
                                      int32_t pixels) {
  int32_t at = 0;
  for (int32_t ky = 0; ky < s.kernel_h; ++ky) {
    int32_t column = ix;
    for (int32_t kx = 0; kx < s.kernel_w; ++kx, column += s.dilation_w, at += s.group_ins) {
      const bool outside = l.rows[ky] == nullptr || column < 0 || column >= s.in_w;
      Isa::load(outside ? l.extra : l.rows[ky] + column * s.ins + l.group * s.group_ins, s.group_ins, at, pixel, pixels,
                l.buffer);
    }
  }
}

// Inside the image, each row at once.
template <class Isa>
[[gnu::noinline]] void conv_load_whole(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel,
                                       int32_t pixels) {
  const int32_t segment = s.kernel_w * s.ins;
  for (int32_t ky = 0, at = 0; ky < s.kernel_h; ++ky, at += segment)
    Isa::load(l.rows[ky] + ix * s.ins, segment, at, pixel, pixels, l.buffer);
}

// Inside the image, rows that are no multiple of what load() takes.
template <class Isa>
[[gnu::noinline]] void conv_load_joined(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel,
                                        int32_t pixels) {
  Isa::load_joined(l.rows, l.rows + s.kernel_h, ix * s.ins, s.kernel_w * s.ins, pixel, pixels, l.buffer);
}

// By way of a copy without gaps, byte by byte where there is padding.
template <class Isa>
[[gnu::noinline]] void conv_load_gathered(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel,
                                          int32_t pixels) {
  const int32_t segment = s.kernel_w * s.group_ins;
  int8_t* to = l.extra;
  for (int32_t ky = 0; ky < s.kernel_h; ++ky, to += segment) conv_gather<Isa>(s, l.rows[ky], ix, l.group, to);
  Isa::load(l.extra, s.window_bytes, 0, pixel, pixels, l.buffer);
}

// Loads the window at column ix of one group of channels. Jumps to one of those above, which take their own stack.
template <class Isa>
void conv_load(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixel, int32_t pixels) {
  const bool inside = l.whole && ix >= 0 && ix + s.kernel_w <= s.in_w;
  if (s.row_loads && inside) return conv_load_whole<Isa>(s, l, ix, pixel, pixels);
  if constexpr (Isa::kJoinsRows)
    if (inside && s.group_ins == s.ins && s.dilation_w == 1 && s.kernel_w * s.ins >= 4)
      return conv_load_joined<Isa>(s, l, ix, pixel, pixels);
  if (s.row_loads && s.tap_loads) return conv_load_rows<Isa>(s, l, ix, pixel, pixels);
  if (s.tap_loads) return conv_load_taps<Isa>(s, l, ix, pixel, pixels);
  conv_load_gathered<Isa>(s, l, ix, pixel, pixels);
}

// Loads the windows of `pixels` neighbours, the first at column ix.
template <class Isa>
void conv_load_group(const ConvShape& s, const ConvLoad& l, int32_t ix, int32_t pixels) {
  if constexpr (Isa::kLoadsRuns) {
    if (s.row_loads && l.whole && ix >= 0 && ix + (pixels - 1) * s.stride_w + s.kernel_w <= s.in_w) {
      const int32_t segment = s.kernel_w * s.ins;
      for (int32_t ky = 0, at = 0; ky < s.kernel_h; ++ky, at += segment)
        Isa::load_run(l.rows[ky] + ix * s.ins, s.stride_w * s.ins, segment, at, pixels, l.buffer);
      return;
    }
  }
  for (int32_t i = 0; i < pixels; ++i, ix += s.stride_w) conv_load<Isa>(s, l, ix, i, pixels);
}

// scratch_at, aligned to 4: the windows of Isa::stream_pixels() pixels as the Isa's microkernel reads them. extra_at:
// what ConvLoad calls extra. kMaxRows: kernel_h or more.
template <class Isa, int32_t kMaxRows, bool kRelu = false>
struct Conv2dStream {
  using Kernels = KernelsOf<Isa, kRelu>;

  const ConvShape& s;
  const Output& out;
  Rows x;
  const int32_t* stream;
  int32_t scratch_at;
  int32_t extra_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    all_rows(memory, s.batch, *this);
  }

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    const int8_t* rows[kMaxRows];
    const bool whole = conv_rows(s, x, memory, image, oy, rows);
    ConvLoad load = {rows, whole, 0, at<uint32_t>(memory, scratch_at), at<int8_t>(memory, extra_at)};
    fill_bytes(load.extra, s.input_zero, s.padding);
    int8_t* const to = y.row(memory, image, oy);
    const int32_t most = Isa::stream_pixels(s.window_bytes);
    const int32_t* weights = stream;
    for (; load.group < s.groups; ++load.group, weights += weights[0]) {
      int8_t* pixel = to + load.group * s.group_outs;
      int32_t ix = -s.pad_left;
      for (int32_t left = s.out_w; left > 0; left -= most) {
        const int32_t pixels = left < most ? left : most;
        int8_t* results[Isa::kStreamPixels];
        for (int32_t i = 0; i < pixels; ++i, pixel += s.outs) results[i] = pixel;
        conv_load_group<Isa>(s, load, ix, pixels);
        Kernels::gemm(weights, out, s.window_bytes, pixels, load.buffer, results);
        ix += pixels * s.stride_w;
      }
    }
    if (out.lo > -128 || out.hi < 127) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, to, to);
  }
};

}  // namespace v0_1
}  // namespace f8k
