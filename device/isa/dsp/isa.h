// ARMv7E-M and ARMv8-M with the DSP extension (Cortex-M4, M7, M33): two 16-bit multiplications an instruction.
#pragma once

#include <arm_acle.h>
#include <string.h>

#include "core/planar.h"
#include "core/requantize.h"
#include "isa/dsp/affine.h"
#include "isa/dsp/depthwise_asm.h"
#include "isa/dsp/gemm.h"
#include "isa/dsp/load_asm.h"
#include "isa/dsp/order.h"
#include "isa/dsp/pool.h"
#include "isa/dsp/stream.h"
#include "isa/v7m/isa.h"

namespace f8k {
inline namespace v0_1 {

// kRelu: core/relu.h. Without it, too, layers whose results have a zero point of -128 take kernels for that.
template <bool kRelu>
struct DspKernels : V7m {
  static constexpr const char* kName = "dsp";
  static constexpr WeightOrder kGemmOrder = dsp::kGemmOrder;

  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum0 = acc[0];
    int32_t sum1 = acc[1];
    for (; ins >= 4; ins -= 4, x += 4, w += 8) dot_2x4(word(x, 4), w, sum0, sum1);
    if (ins > 0) dot_2x4(word(x, ins), w, sum0, sum1);  // the weights beyond `ins` are zeros
    acc[0] = sum0;
    acc[1] = sum1;
  }

  static void sum_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
    lanes == 4 ? dsp::sum_words(x, pixels, pitch, acc) : v7m::sum_bytes(x, pixels, pitch, lanes, acc);
  }

  static void max_window(const PoolWindow& w, int32_t at, int32_t lanes, int32_t lo, int32_t hi, int8_t* y) {
    lanes == 4 ? dsp::max_words(w, at, lo, hi, y) : v7m::max_bytes(w, at, lanes, lo, hi, y);
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    const int32_t base = standing_part<kStepA, kStepB>(f, a, b);
    v7m::affine<dsp::Saturate<kShift>, kClamp, kStepA, kStepB>(elems, f, base, out, a, b, y);
  }

  template <int kShift, bool kClamp, int kStepX>
  static void affine_each(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                          int8_t* y) {
    v7m::affine_each<dsp::Saturate<kShift>, kClamp, kStepX>(elems, 0, out, x, scale, bias, y);
  }

  // ---- matrix kernels that read a stream (isa/dsp/stream.h)

  static constexpr int32_t kStreamPixels = dsp::kStreamPixels;
  static constexpr int32_t stream_pixels(int32_t /*ins*/) { return kStreamPixels; }
  static constexpr int32_t kStreamRows = 1;
  static constexpr bool kLoadsRuns = true;
  static constexpr bool kJoinsRows = true;
  static constexpr bool kSpreadsThrees = true;

  static void copy(int8_t* to, const int8_t* from, int32_t bytes) { dsp::copy_asm(to, from, bytes); }

  // Widens `bytes` of one pixel's window, from its byte `at` (a multiple of 4), into the buffer of `pixels` pixels. Up
  // to three values beyond `bytes` are written too; their weights are zeros.
  static void load(const int8_t* x, int32_t bytes, int32_t at, int32_t pixel, int32_t pixels, uint32_t* buffer) {
    dsp::load_asm(x, bytes, buffer + at / 2 * pixels + pixel * 2, 8 * pixels);
  }

  // The same for the windows of `pixels` pixels, `step` bytes apart; `bytes` is a multiple of 4.
  static void load_run(const int8_t* x, int32_t step, int32_t bytes, int32_t at, int32_t pixels, uint32_t* buffer) {
    if (pixels == 2) {
      dsp::load_pair_asm(x, x + step, bytes, buffer + at);
    } else {
      load(x, bytes, at, 0, 1, buffer);
    }
  }

  // A whole window: from each row up to rows_end its `segment` >= 4 bytes at `offset`, without gaps.
  static void load_joined(const int8_t* const* rows, const int8_t* const* rows_end, int32_t offset, int32_t segment,
                          int32_t pixel, int32_t pixels, uint32_t* buffer) {
    const dsp::JoinedArguments arguments = {offset, segment, 8 * pixels};
    dsp::load_joined_asm(rows, rows_end, buffer + pixel * 2, &arguments);
  }

  // Every channel of 1 or 2 pixels whose windows are in the buffer; y[i]: where pixel i's channels start.
  static void gemm(const int32_t* stream, const Output& out, int32_t ins, int32_t pixels, const uint32_t* buffer,
                   int8_t* const* y) {
    dsp::GemmArguments arguments = {buffer, 0, nullptr, y[0], y[pixels - 1], nullptr, nullptr, 0, 1, 0};
    multiply(stream, out, ins, pixels, arguments);
  }

  // The same for a row of windows without gaps, step_x bytes apart at x, with results step_y apart. Two at a time are
  // read in whole words; those of which words would reach behind the last window are left for load().
  [[gnu::noinline]] static void gemm_run(const int32_t* stream, const Output& out, int32_t ins, const int8_t* x,
                                         int32_t step_x, int32_t windows, uint32_t* buffer, int8_t* y, int32_t step_y) {
    int32_t in_words = windows;
    for (int32_t behind = dsp::stream_ins(ins) - ins; behind > 0; behind -= step_x) --in_words;
    const int32_t pairs = in_words < 2 ? 0 : in_words / 2;
    dsp::GemmArguments arguments = {buffer, 0, nullptr, y, y + step_y, nullptr, x, step_x, pairs, 2 * step_y};
    if (pairs > 0) multiply(stream, out, ins, 2, arguments);
    x += 2 * pairs * step_x;
    y += 2 * pairs * step_y;
    for (int32_t left = windows - 2 * pairs; left > 0; left -= 2, y += 2 * step_y) {
      const int32_t pixels = left < 2 ? left : 2;
      for (int32_t i = 0; i < pixels; ++i, x += step_x) load(x, ins, 0, i, pixels, buffer);
      arguments = {buffer, 0, nullptr, y, y + step_y, nullptr, nullptr, 0, 1, 0};
      multiply(stream, out, ins, pixels, arguments);
    }
  }

  // ---- strips (ops/conv2d/conv2d_strip.kernel.h)

  static void fill(int8_t* to, int32_t value, int32_t bytes) { fill_bytes(to, value, bytes); }

  // Copies `count` pieces of `bytes` bytes, step_x apart at x, to places step_to apart.
  static void spread(const int8_t* x, int32_t step_x, int32_t bytes, int32_t count, int8_t* to, int32_t step_to) {
    for (; count > 0; --count, x += step_x, to += step_to)
      for (int32_t i = 0; i < bytes; ++i) to[i] = x[i];
  }

  // The same from three rows of `count` pixels of three channels, whose pieces follow each other.
  static void spread_threes(const int8_t* const* rows, int32_t count, int8_t* to) {
    dsp::spread_threes_asm(rows, count, to);
  }

  // One row of a linear. scratch: two bytes for each input that is widened. y must not lie over x.
  static void stream_rows(const int32_t* stream, const Output& out, const int8_t* x, int32_t ins, int32_t /*outs*/,
                          int32_t /*rows*/, int8_t* scratch, int8_t* y) {
    uint32_t* buffer = reinterpret_cast<uint32_t*>(scratch);
    const int32_t first = dsp::unwidened(ins);
    const int32_t widened = dsp::linear_ins(ins) - first;
    load(x + first, ins - first, 0, 0, 1, buffer);
    const dsp::LinearArguments arguments = {x, x + first, buffer, buffer + widened / 2, y, widened / 8};
    if (out.zero == -128) {
      dsp::linear_from_least_asm(stream + dsp::kStreamHead, &arguments);
    } else {
      dsp::linear_asm(stream + dsp::kStreamHead, &arguments);
    }
  }

  // ---- depthwise over planar rows (isa/dsp/depthwise.h)

  static constexpr int32_t kDepthwiseChannels = dsp::kDepthwiseChannels;
  static constexpr int32_t depthwise_channels(const PlanarShape& /*p*/) { return kDepthwiseChannels; }
  static constexpr int32_t planar_row_bytes(int32_t columns) { return dsp::planar_row_bytes(columns); }

  static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const int32_t missing = kDepthwiseChannels - channels;
    if (x == nullptr || p.inside == 0) {
      dsp::fill_asm(to, p.zero, dsp::planar_row_bytes(p.columns));
    } else if (p.left <= 1 && p.pixel_channels >= kDepthwiseChannels) {
      dsp::planar_asm(x - missing, to, &p, dsp::plane_bytes(p.columns));  // a pixel has channels before a short block
    } else {
      planar_pixels(p, x, channels, to);
    }
  }

  // One output row of `channels` channels; returns the end of their records. places: of the kernel's rows.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& out, const int32_t* record, int32_t channels,
                                      const int8_t* planar, const int32_t* places, int8_t* /*work*/, int8_t* y) {
    planar += (kDepthwiseChannels - channels) * dsp::plane_bytes(p.columns);
    if (!dsp::is_3x3(p.kernel_h, p.kernel_w, p.dilation)) return depthwise_any(p, record, channels, planar, places, y);
    return depthwise_3x3(p, out.zero, record, channels, planar, places, y);
  }

  static constexpr bool kMakesBlocks = true;
  static bool makes_blocks(const DepthwiseShape& s, const PlanarShape& p) {
    return dsp::is_3x3(p.kernel_h, p.kernel_w, p.dilation) && p.stride <= 2 && s.dilation_h == 1 && s.multiplier == 1;
  }

  // All rows of a block of `channels` channels; returns the end of their records. planar: three rows, of which the
  // oldest makes room for each that comes.
  [[gnu::noinline]] static const int32_t* depthwise_block(const DepthwiseShape& s, const PlanarShape& p,
                                                          const Output& out, const int8_t* x, const int32_t* record,
                                                          int32_t channels, int8_t* planar_rows, int8_t* y) {
    const int32_t row_bytes = dsp::planar_row_bytes(p.columns);
    const int32_t missing = (kDepthwiseChannels - channels) * dsp::plane_bytes(p.columns);
    dsp::DepthwiseArguments arguments = arguments_3x3(p, record, channels);
    int8_t* a = planar_rows;
    int8_t* b = a + row_bytes;
    int8_t* c = b + row_bytes;
    int32_t next = -s.pad_top;  // input row to load
    int32_t first = next;
    for (int32_t left = s.out_h; left > 0; --left, first += s.stride_h, y += p.row_out) {
      for (next = next < first ? first : next; next < first + 3; ++next) {
        int8_t* const oldest = a;
        a = b;
        b = c;
        c = oldest;
        planar(p, next >= 0 && next < s.in_h ? x + next * s.row_in : nullptr, channels, c);
      }
      arguments.rows[0] = a + missing;
      arguments.rows[1] = b + missing;
      arguments.rows[2] = c + missing;
      arguments.y = y;
      row_3x3(p, out.zero, arguments);
    }
    return record + channels * dsp::kRecord3x3;
  }

 private:
  // What is missing in the arguments comes from the head of the stream and from `ins`.
  [[gnu::noinline]] static void multiply(const int32_t* stream, const Output& out, int32_t ins, int32_t pixels,
                                         dsp::GemmArguments& arguments) {
    arguments.fours = dsp::stream_ins(ins) / 4;
    arguments.buffer_end = arguments.buffer + 2 * arguments.fours * pixels;
    arguments.stream = stream + dsp::kStreamHead;
    const bool widened = stream[1] != 0;
    if (pixels == 1) {
      widened ? dsp::gemm_one_pixel_widened_asm(&arguments) : dsp::gemm_one_pixel_asm(&arguments);
    } else if (kRelu || out.zero == -128) {
      widened ? dsp::gemm_widened_from_least_asm(&arguments) : dsp::gemm_two_pixels_from_least_asm(&arguments);
    } else {
      widened ? dsp::gemm_widened_asm(&arguments) : dsp::gemm_two_pixels_asm(&arguments);
    }
  }

  // The first `n` <= 4 bytes at p as one word, zeros above.
  static int8x4_t word(const int8_t* p, int32_t n) {
    uint32_t bits = 0;
    if (n == 4) {
      memcpy(&bits, p, 4);
    } else {
      for (int32_t i = 0; i < n; ++i) bits |= uint32_t{static_cast<uint8_t>(p[i])} << (8 * i);
    }
    return static_cast<int8x4_t>(bits);
  }

  // A planar row whose pixels lie behind any padding, or have too few channels to be read as words.
  [[gnu::noinline]] static void planar_pixels(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const int32_t plane = dsp::plane_bytes(p.columns);
    dsp::fill_asm(to, p.zero, dsp::planar_row_bytes(p.columns));
    to += (kDepthwiseChannels - channels) * plane + 2 * p.left;
    for (int32_t i = 0; i < p.inside; ++i, x += p.pixel_in, to += 2)
      for (int32_t c = 0; c < channels; ++c) reinterpret_cast<int16_t*>(to + c * plane)[0] = x[c];
  }

  // Not inlined, as the others below: each has arguments on the stack. Under strides larger than two each result is a
  // row of its own.
  [[gnu::noinline]] static const int32_t* depthwise_3x3(const PlanarShape& p, int32_t zero, const int32_t* record,
                                                        int32_t channels, const int8_t* planar, const int32_t* places,
                                                        int8_t* y) {
    dsp::DepthwiseArguments arguments = arguments_3x3(p, record, channels);
    for (int32_t i = 0; i < 3; ++i) arguments.rows[i] = planar + places[i];
    arguments.y = y;
    for (int32_t left = p.stride <= 2 ? 1 : p.outputs; left > 0; --left, arguments.y += p.pixel_out) {
      row_3x3(p, zero, arguments);
      for (const int8_t*& columns : arguments.rows) columns += 2 * p.stride;
    }
    return record + channels * dsp::kRecord3x3;
  }

  // All but rows and y.
  static dsp::DepthwiseArguments arguments_3x3(const PlanarShape& p, const int32_t* record, int32_t channels) {
    const int32_t pairs = p.stride <= 2 ? p.outputs >> 1 : 0;
    const int32_t pair_bytes = 2 * pairs * p.pixel_out;
    return {{},
            nullptr,
            p.pixel_out,
            nullptr,
            pair_bytes,
            pairs,
            record,
            channels,
            dsp::plane_bytes(p.columns) - 4 * pairs * p.stride,
            p.channel_out - pair_bytes,
            p.stride <= 2 ? p.outputs & 1 : 1};
  }

  static void row_3x3(const PlanarShape& p, int32_t zero, const dsp::DepthwiseArguments& arguments) {
    if (p.stride == 2) {
      kRelu || zero == -128 ? dsp::depthwise_3x3_stride_2_from_least_asm(&arguments)
                            : dsp::depthwise_3x3_stride_2_asm(&arguments);
    } else {
      kRelu || zero == -128 ? dsp::depthwise_3x3_stride_1_from_least_asm(&arguments)
                            : dsp::depthwise_3x3_stride_1_asm(&arguments);
    }
  }

  [[gnu::noinline]] static const int32_t* depthwise_any(const PlanarShape& p, const int32_t* record, int32_t channels,
                                                        const int8_t* planar, const int32_t* places, int8_t* y) {
    const int32_t pairs = dsp::depthwise_pairs(p.kernel_w, p.dilation);
    for (int32_t c = 0; c < channels; ++c) {
      dsp::DepthwiseRowArguments arguments = {record,
                                              places,
                                              places + p.kernel_h,
                                              pairs,
                                              p.dilation == 1 ? 4 : 2 * p.dilation,
                                              2 * p.stride,
                                              p.pixel_out,
                                              planar,
                                              y,
                                              p.outputs};
      dsp::depthwise_row_asm(&arguments);
      record += p.kernel_h * pairs + dsp::kDepthwiseTail;
      planar += dsp::plane_bytes(p.columns);
      y += p.channel_out;
    }
    return record;
  }

  // Bytes 1 and 3 as two halfwords: one instruction, SXTB16 with a rotation.
  static int16x2_t odd_bytes(int8x4_t bytes) {
    const uint32_t bits = static_cast<uint32_t>(bytes);
    return __sxtb16(static_cast<int8x4_t>((bits >> 8) | (bits << 24)));
  }

  static void dot_2x4(int8x4_t x, const int8_t* w, int32_t& sum0, int32_t& sum1) {
    const int8x4_t w0 = word(w, 4);
    const int8x4_t w1 = word(w + 4, 4);
    const int16x2_t x_even = __sxtb16(x);
    const int16x2_t x_odd = odd_bytes(x);
    sum0 = __smlad(x_even, __sxtb16(w0), sum0);
    sum0 = __smlad(x_odd, odd_bytes(w0), sum0);
    sum1 = __smlad(x_even, __sxtb16(w1), sum1);
    sum1 = __smlad(x_odd, odd_bytes(w1), sum1);
  }
};

struct Dsp : DspKernels<false> {
  using Relu = DspKernels<true>;
};

}  // namespace v0_1
}  // namespace f8k
