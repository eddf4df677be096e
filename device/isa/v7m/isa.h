// ARMv7-M without DSP extension (Cortex-M3). All of it runs on the host too, where tests compare it with the
// interpreter: the primitives are portable C++17, and the loops over streams have a portable twin (isa/v7m/gemm.h). It
// has every primitive that a kernel may ask of an Isa; the other ISAs override some, and have streams of their own.
#pragma once

#include "core/copy_bytes.h"
#include "core/planar.h"
#include "core/requantize.h"
#include "isa/v7m/affine.h"
#include "isa/v7m/depthwise_loops.h"
#include "isa/v7m/gemm.h"
#include "isa/v7m/load.h"
#include "isa/v7m/lut.h"
#include "isa/v7m/order.h"
#include "isa/v7m/pool.h"
#include "isa/v7m/product.h"
#include "isa/v7m/rows.h"

namespace f8k {
inline namespace v0_1 {

struct V7m {
  static constexpr const char* kName = "v7m";
  static constexpr WeightOrder kGemmOrder = v7m::kGemmOrder;

  static int32_t doubling_high_mul(int32_t a, int32_t b) { return f8k::doubling_high_mul(a, b); }

  // floor((2^32 - 1) / h), 2^15 <= h <= 2^16
  static uint32_t reciprocal(uint32_t h) { return 0xffffffffu / h; }

  static void copy(int8_t* to, const int8_t* from, int32_t bytes) { copy_bytes<true>(to, from, bytes); }

  // Before the first planar row of a layer.
  static void depthwise_begin(const PlanarShape& /*p*/, int8_t* /*planar*/, int32_t /*planar_bytes*/,
                              int8_t* /*work*/) {}

  // Whether there is depthwise_pair(), which makes two rows together of the shapes that makes_pairs() says.
  static constexpr bool kMakesPairs = false;

  // Whether there is depthwise_block(), which makes all rows of a block of the shapes that makes_blocks() says.
  static constexpr bool kMakesBlocks = false;

  // Whether there is load_joined(), for windows whose rows are no multiple of what load() takes.
  static constexpr bool kJoinsRows = false;

  // Whether there is spread_threes(), for strips of three rows of three channels.
  static constexpr bool kSpreadsThrees = false;

  // acc[j] += sum over k of x[k] * w[j][k], j < kGemmOrder.out_block; w is one row group in kGemmOrder.
  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum = acc[0];
    for (int32_t k = 0; k < ins; ++k) sum += x[k] * w[k];
    acc[0] = sum;
  }

  // Pooling, core/pool.h.
  static constexpr int32_t kSumLanes = 4;
  static constexpr int32_t kMaxLanes = 4;

  static void sum_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
    lanes == 4 ? v7m::sum_words<false>(x, pixels, pitch, acc) : v7m::sum_bytes(x, pixels, pitch, lanes, acc);
  }

  static void max_window(const PoolWindow& w, int32_t at, int32_t lanes, int32_t lo, int32_t hi, int8_t* y) {
    lanes == 4 ? v7m::max_four(w, at, lo, hi, y) : v7m::max_bytes(w, at, lanes, lo, hi, y);
  }

  // Tables, ops/lut.
  static void lookup(int32_t elems, const int8_t* table, const int8_t* x, int8_t* y) {
    v7m::lookup(elems, table, x, y);
  }
  static void lookup_channels(int32_t channels, const int8_t* tables, const int8_t* x, int8_t* y) {
    v7m::lookup_channels(channels, tables, x, y);
  }

  // The elements of one run, core/product.h.
  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void product(int32_t elems, const Product& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    v7m::product<v7m::Saturate<kShift>, kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
  }

  // The elements of one run, core/affine.h.
  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    const int32_t base = standing_part<kStepA, kStepB>(f, a, b) + (128 << kShift);
    v7m::affine<v7m::Saturate<kShift>, kClamp, kStepA, kStepB>(elems, f, base, out, a, b, y);
  }

  // The same with a scale and a bias for each element: clamp((bias[i] + scale[i] * x[i]) >> kShift).
  template <int kShift, bool kClamp, int kStepX>
  static void affine_each(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                          int8_t* y) {
    v7m::affine_each<v7m::Saturate<kShift>, kClamp, kStepX>(elems, 128 << kShift, out, x, scale, bias, y);
  }

  // ---- matrix kernels that read a stream (isa/v7m/stream.h)

  static constexpr int32_t kStreamPixels = v7m::kStreamPixels;
  static constexpr int32_t stream_pixels(int32_t ins) { return v7m::stream_pixels(ins); }

  // Puts `bytes` of one pixel's window, from its byte `at`, into the buffer, an even pixel before its odd neighbour.
  // Words beyond a window's end keep what they have; their weights are zeros.
  static void load(const int8_t* x, int32_t bytes, int32_t at, int32_t pixel, int32_t pixels, uint32_t* buffer) {
    const int32_t two_k = (pixels + 1) / 2 * 8;
    if ((pixel & 1) == 0) {
      v7m::load_even(x, bytes, buffer + pixel, at, two_k);
    } else {
      v7m::load_odd(x, bytes, buffer + pixel - 1, at, two_k);
    }
  }

  // The same bytes of `pixels` pixels, whose windows are `step` bytes apart. kLoadsRuns: there is such a load_run().
  static constexpr bool kLoadsRuns = true;
  static void load_run(const int8_t* x, int32_t step, int32_t bytes, int32_t at, int32_t pixels, uint32_t* buffer) {
    const int32_t two_k = (pixels + 1) / 2 * 8;
    const int32_t pairs = pixels / 2;
    if (pairs > 0) v7m::load_pairs(x, bytes, buffer, at, two_k, step, pairs);
    if (pixels % 2 != 0) v7m::load_even(x + 2 * pairs * step, bytes, buffer + 2 * pairs, at, two_k);
  }

  // Every channel of 1 to kStreamPixels pixels whose windows are in the buffer; y[i]: where pixel i's channels start.
  static void gemm(const int32_t* stream, const Output& /*out*/, int32_t ins, int32_t pixels, const uint32_t* buffer,
                   int8_t* const* y) {
    const int32_t pairs = (pixels + 1) / 2;
    const int32_t blocks = v7m::stream_ins(ins) / 4;
    const v7m::GemmArguments arguments = {buffer, buffer + v7m::buffer_words(ins, pairs),
                                          static_cast<uint32_t>(-blocks & (v7m::pass_blocks(pairs) - 1)),
                                          stream + stream[0]};
    int8_t* even[kStreamPixels];
    if (pixels % 2 != 0) {
      for (int32_t i = 0; i <= pixels; ++i) even[i] = y[i < pixels ? i : pixels - 1];
      y = even;
    }
    if (pairs == 3) {
      v7m::gemm_three_pairs(stream + 1, &arguments, y);
    } else if (pairs == 2) {
      v7m::gemm_two_pairs(stream + 1, &arguments, y);
    } else {
      v7m::gemm_one_pair(stream + 1, &arguments, y);
    }
  }

  // One row of a linear. scratch: wide_ins(ins) words.
  static constexpr int32_t kStreamRows = 1;
  static void stream_rows(const int32_t* stream, const Output& out, const int8_t* x, int32_t ins, int32_t /*outs*/,
                          int32_t /*rows*/, int8_t* scratch, int8_t* y) {
    int32_t* const wide = reinterpret_cast<int32_t*>(scratch);
    const int32_t wide_ins = v7m::wide_ins(ins);
    const int32_t narrow_ins = v7m::stream_ins(ins) - wide_ins;
    const int8_t* const narrow_end = x + narrow_ins;
    int32_t sum = v7m::widen(narrow_end, ins - narrow_ins, wide);
    const void* first = wide;
    if (narrow_ins > 0) {
      sum += v7m::sum_of(x, narrow_end);
      first = x;
    }
    for (int32_t k = ins - narrow_ins; k < wide_ins; ++k) wide[k] = 0;
    const v7m::RowArguments arguments = {stream + stream[0],
                                         -128 * sum,
                                         first,
                                         narrow_end,
                                         wide,
                                         wide + wide_ins,
                                         y,
                                         static_cast<uint32_t>(out.zero + 128),
                                         static_cast<uint32_t>(-narrow_ins) / 4 & 7u,
                                         static_cast<uint32_t>(-wide_ins) / 4 & 15u};
    v7m::row_loop(stream + 1, &arguments);
  }

  // ---- depthwise over planar rows (isa/v7m/depthwise.h)

  static constexpr int32_t kDepthwiseChannels = v7m::kDepthwiseChannels;
  static constexpr int32_t depthwise_channels(const PlanarShape& /*p*/) { return kDepthwiseChannels; }
  static constexpr int32_t planar_row_bytes(int32_t columns) { return v7m::planar_row_bytes(columns); }

  [[gnu::noinline]] static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const int32_t plane_words = v7m::plane_words(p.columns);
    int32_t* row = reinterpret_cast<int32_t*>(to);
    int32_t* const end = row + plane_words;
    const int32_t padding = p.zero + p.zero * (1 << v7m::kColumnBits);
    if (x == nullptr || p.inside <= 0) return fill_planes(row, kDepthwiseChannels * plane_words, 1, padding);
    for (int32_t left = p.left; left >= 2; left -= 2) fill_planes(row++, kDepthwiseChannels, plane_words, padding);
    const int32_t left = p.left & 1;
    const int32_t words = (left + p.inside) / 2;
    const int32_t right = (left + p.inside) & 1;
    if (channels == kDepthwiseChannels) {
      const uint32_t padding_bytes = (static_cast<uint32_t>(p.zero) & 0xffu) * 0x01010101u;
      v7m::planar_pixels(x, p.pixel_in, row, 4 * plane_words, words, padding_bytes, left, right);
    } else {
      planar_channels(p, x, channels, row);
    }
    for (row += words + right; row != end; ++row) fill_planes(row, kDepthwiseChannels, plane_words, padding);
  }

  // One output row of `channels` channels; returns the end of their records. places: of the kernel's rows.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& /*out*/, const int32_t* record,
                                      int32_t channels, const int8_t* planar, const int32_t* places, int8_t* work,
                                      int8_t* y) {
    if (p.way == v7m::kAnyKernel) return depthwise_any(p, record, channels, planar, places, y);
    int32_t* const sums = reinterpret_cast<int32_t*>(work);
    const bool by_two = p.stride == 1;
    const int32_t words = by_two ? (p.outputs + 1) / 2 : p.outputs;
    const v7m::BlockRow row = {sums + (by_two ? 2 * words - 2 : words),
                               {planar + places[0], planar + places[1], planar + places[2]},
                               4 * (v7m::plane_words(p.columns) - words),
                               sums,
                               by_two ? sums + 1 : sums,
                               p.outputs,
                               y,
                               p.pixel_out,
                               p.channel_out,
                               channels};
    return v7m::block_row_3x3(record, &row, p.stride);
  }

 private:
  // `count` words, `step` words from one to the next.
  static void fill_planes(int32_t* to, int32_t count, int32_t step, int32_t word) {
    for (; count > 0; --count, to += step) *to = word;
  }

  // The pixels of a planar row of fewer than four channels, with what padding shares a word with them.
  [[gnu::noinline]] static void planar_channels(const PlanarShape& p, const int8_t* x, int32_t channels, int32_t* to) {
    const auto value = [&](int32_t pixel, int32_t c) {
      return pixel < 0 || pixel >= p.inside ? p.zero : x[pixel * p.pixel_in + c];
    };
    for (int32_t pixel = -(p.left & 1); pixel < p.inside; pixel += 2, ++to)
      for (int32_t c = 0; c < channels; ++c)
        to[c * v7m::plane_words(p.columns)] = value(pixel, c) + value(pixel + 1, c) * (1 << v7m::kColumnBits);
  }

  static int32_t column(const int8_t* plane, int32_t i) {
    int32_t word;
    memcpy(&word, plane + i / 2 * 4, sizeof word);
    const int32_t first = static_cast<int32_t>(static_cast<uint32_t>(word) << 11) >> 11;
    return i % 2 == 0 ? first : (word - first) >> v7m::kColumnBits;
  }

  // The accumulator of one channel's window from column `first` on of its planar rows, for any kernel.
  static int32_t depthwise_sum(const PlanarShape& p, const int8_t* w, const int32_t* places, const int8_t* plane,
                               int32_t first) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p.kernel_h; ++ky)
      for (int32_t kx = 0; kx < p.kernel_w; ++kx) sum += *w++ * column(plane + places[ky], first + kx * p.dilation);
    return sum;
  }

  // depthwise_row() for any kernel.
  [[gnu::noinline]] static const int32_t* depthwise_any(const PlanarShape& p, const int32_t* record, int32_t channels,
                                                        const int8_t* plane, const int32_t* places, int8_t* y) {
    const int32_t weights = v7m::depthwise_weight_words(p.kernel_h, p.kernel_w, p.dilation);
    for (; channels > 0; --channels, plane += 4 * v7m::plane_words(p.columns), y += p.channel_out) {
      int8_t taps[9];
      const int8_t* w = reinterpret_cast<const int8_t*>(record);
      if (v7m::is_3x3(p.kernel_h, p.kernel_w, p.dilation)) {
        v7m::read_taps_3x3(record, taps);
        w = taps;
      }
      record += weights + v7m::kDepthwiseTail;
      const int32_t* const scale = record - v7m::kScaleWords;
      for (int32_t ox = 0; ox < p.outputs; ++ox) {
        const int32_t acc = scale[-1] + depthwise_sum(p, w, places, plane, ox * p.stride);
        y[ox * p.pixel_out] = v7m::scaled(acc * (1 << v7m::kDepthwiseFraction), v7m::kDepthwiseFraction, scale);
      }
    }
    return record;
  }
};

}  // namespace v0_1
}  // namespace f8k
