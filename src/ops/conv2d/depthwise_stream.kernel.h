// Depthwise convolution over weights that come as a stream (the Isa's own order): see depthwise.kernel.h for the
// formula. One block of Isa::depthwise_channels() channels after the other runs down the image: each input row of the
// block is read once, into a planar row (core/planar.h), and stays in a ring for as long as windows see it.
//
// y may be x, where there are as many outputs as inputs, out_h <= in_h, out_w <= in_w and pad_top <= (kernel_h - 1) *
// dilation_h. All pixels are equally large, so a block overwrites its own channels only. Before output row oy is
// written, the input rows up to r = oy * stride_h - pad_top + (kernel_h - 1) * dilation_h >= oy are in the ring; its
// results are pixels before (oy + 1) * out_w <= (r + 1) * in_w, and what is still to be read comes after those. The
// results of an image lie before the next image. Where the rows are an image's columns, the image keeps its width (the
// compiler sees to it), and output column i lies where input column i was.
#pragma once

#include "core/address.h"
#include "core/clamp_elements.h"
#include "core/planar.h"
#include "core/relu.h"
#include "core/requantize.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

// Output rows that are made together: 2 where the Isa says so, and then neighbours see neighbouring input rows.
template <class Isa>
int32_t depthwise_together(const DepthwiseShape& s, const PlanarShape& p) {
  if constexpr (Isa::kMakesPairs) {
    if (s.stride_h == 1 && s.dilation_h == 1 && Isa::makes_pairs(p)) return 2;
  }
  return 1;
}

// Scratch, aligned to 4: planar rows; for each row of the windows its planar row's place, in bytes; what the Isa needs.
template <class Isa>
struct DepthwiseScratch {
  int8_t* planar;
  int32_t row_bytes;
  int32_t* places;
  int8_t* work;

  DepthwiseScratch(const PlanarShape& p, int8_t* scratch, int32_t slots, int32_t window_rows)
      : planar(scratch),
        row_bytes(Isa::planar_row_bytes(p.columns)),
        places(reinterpret_cast<int32_t*>(scratch + slots * row_bytes)),
        work(scratch + slots * row_bytes + 4 * window_rows) {}
};

template <class Isa>
void depthwise_clamp(const DepthwiseShape& s, const PlanarShape& p, const Output& out, int32_t channels, int32_t rows,
                     int8_t* y) {
  if (out.lo == -128 && out.hi == 127) return;
  for (; rows > 0; --rows, y += p.row_out)
    for (int32_t ox = 0; ox < p.outputs; ++ox)
      clamp_elements<Isa>(channels * s.multiplier, out.lo, out.hi, y + ox * p.pixel_out, y + ox * p.pixel_out);
}

// One output row, or two, of the block of `channels` channels whose weights are next in the stream; returns the end of
// those.
template <class Isa>
[[gnu::always_inline]] inline const int32_t* depthwise_block_rows(const DepthwiseShape& s, const PlanarShape& p,
                                                                  const Output& out, const int32_t* stream,
                                                                  int32_t channels, int32_t rows,
                                                                  const DepthwiseScratch<Isa>& scratch, int8_t* y) {
  for (int32_t j = 0; j < s.multiplier; ++j) {
    if constexpr (Isa::kMakesPairs) {
      if (rows == 2) {
        stream = Isa::depthwise_pair(p, out, stream, channels, scratch.planar, scratch.places, scratch.work, y + j);
        continue;
      }
    }
    stream = Isa::depthwise_row(p, out, stream, channels, scratch.planar, scratch.places, scratch.work, y + j);
  }
  depthwise_clamp<Isa>(s, p, out, channels, rows, y);
  return stream;
}

inline int32_t depthwise_channels_from(const DepthwiseShape& s, int32_t c, int32_t block) {
  return s.ins - c < block ? s.ins - c : block;
}

// How rows go through the ring: it has a slot for each row from the first to the last that windows of rows made
// together see.
struct DepthwiseRing {
  int32_t together, window_rows, slots;
};

template <class Isa>
DepthwiseRing depthwise_ring(const DepthwiseShape& s, const PlanarShape& p) {
  const int32_t together = depthwise_together<Isa>(s, p);
  const int32_t window_rows = p.kernel_h + together - 1;
  return {together, window_rows, (window_rows - 1) * s.dilation_h + 1};
}

// All rows of one block of channels: x, y at its first channel. Padding enters the ring like any row. When the last row
// is in, the slot to come holds the first.
template <class Isa>
const int32_t* depthwise_block(const DepthwiseShape& s, const PlanarShape& p, const Output& out, const int8_t* x,
                               const int32_t* stream, int32_t channels, const DepthwiseRing& ring,
                               const DepthwiseScratch<Isa>& scratch, int8_t* y) {
  if constexpr (Isa::kMakesBlocks) {
    if (Isa::makes_blocks(s, p)) {
      stream = Isa::depthwise_block(s, p, out, x, stream, channels, scratch.planar, y);
      depthwise_clamp<Isa>(s, p, out, channels, s.out_h, y);
      return stream;
    }
  }
  const int32_t together = ring.together;
  const int32_t ring_bytes = ring.slots * scratch.row_bytes;
  const int32_t step = s.dilation_h * scratch.row_bytes;  // from a row of the window to the next
  int32_t* const places_end = scratch.places + ring.window_rows;
  const int32_t* end = stream;
  int32_t place = 0;
  int32_t next = -s.pad_top;  // input row to load
  int32_t first = -s.pad_top;
  for (int32_t left = s.out_h; left > 0; left -= together, first += together * s.stride_h, y += together * p.row_out) {
    for (next = next < first ? first : next; next < first + ring.slots; ++next) {
      const bool inside = next >= 0 && next < s.in_h;
      Isa::planar(p, inside ? x + next * s.row_in : nullptr, channels, scratch.planar + place);
      place = place + scratch.row_bytes == ring_bytes ? 0 : place + scratch.row_bytes;
    }
    int32_t at = place;
    for (int32_t* to = scratch.places; to != places_end; ++to) {
      *to = at;
      at += step;
      if (at >= ring_bytes) at -= ring_bytes;
    }
    end = depthwise_block_rows<Isa>(s, p, out, stream, channels, left < together ? left : together, scratch, y);
  }
  return end;
}

template <class Isa, bool kRelu = false>
struct DepthwiseStream {
  using Kernels = KernelsOf<Isa, kRelu>;

  const DepthwiseShape& s;
  const PlanarShape& p;
  const Output& out;
  Rows x;
  const int32_t* stream;
  int32_t scratch_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    const DepthwiseRing ring = depthwise_ring<Kernels>(s, p);
    const DepthwiseScratch<Kernels> scratch(p, at<int8_t>(memory, scratch_at), ring.slots, ring.window_rows);
    Kernels::depthwise_begin(p, scratch.planar, ring.slots * scratch.row_bytes, scratch.work);
    const int32_t channels_at_once = Kernels::depthwise_channels(p);
    for (int32_t image = 0; image < s.batch; ++image) {
      const int32_t* block = stream;
      for (int32_t c = 0; c < s.ins; c += channels_at_once)
        block = depthwise_block<Kernels>(s, p, out, x.row(memory, image, 0) + c, block,
                                         depthwise_channels_from(s, c, channels_at_once), ring, scratch,
                                         y.row(memory, image, 0) + c * s.multiplier);
    }
  }

  // One output row, for an image whose rows are its rows: planar rows are made for it anew.
  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    const DepthwiseScratch<Kernels> scratch(p, at<int8_t>(memory, scratch_at), p.kernel_h, p.kernel_h);
    Kernels::depthwise_begin(p, scratch.planar, p.kernel_h * scratch.row_bytes, scratch.work);
    const int32_t channels_at_once = Kernels::depthwise_channels(p);
    const int32_t* block = stream;
    for (int32_t c = 0; c < s.ins; c += channels_at_once) {
      const int32_t channels = depthwise_channels_from(s, c, channels_at_once);
      int32_t iy = oy * s.stride_h - s.pad_top;
      for (int32_t ky = 0; ky < p.kernel_h; ++ky, iy += s.dilation_h) {
        const int8_t* from = x.row(memory, image, iy);
        scratch.places[ky] = ky * scratch.row_bytes;
        Kernels::planar(p, from == nullptr ? nullptr : from + c, channels, scratch.planar + scratch.places[ky]);
      }
      block = depthwise_block_rows<Kernels>(s, p, out, block, channels, 1, scratch,
                                            y.row(memory, image, oy) + c * s.multiplier);
    }
  }
};

}  // namespace v0_1
}  // namespace f8k
