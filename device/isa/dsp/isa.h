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

#if !defined(__ARM_FEATURE_DSP)
#error "these kernels need the DSP extension: compile with -mcpu=cortex-m4, cortex-m7 or cortex-m33"
#endif

namespace f8k {
inline namespace v0_1 {

struct Dsp : V7m {
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

  static void max_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int8_t* max) {
    lanes == 4 ? dsp::max_words(x, pixels, pitch, max) : v7m::max_bytes(x, pixels, pitch, lanes, max);
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    const int32_t base = standing_part<kStepA, kStepB>(f, a, b);
    v7m::affine<dsp::Saturate<kShift>, kClamp, kStepA, kStepB>(elems, f, base, out, a, b, y);
  }

  // ---- matrix kernels that read a stream (isa/dsp/stream.h)

  static constexpr int32_t kStreamPixels = dsp::kStreamPixels;
  static constexpr int32_t kStreamRows = 1;
  static constexpr bool kLoadsRuns = true;

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

  // Every channel of 1 or 2 pixels whose windows are in the buffer; y[i]: where pixel i's channels start.
  static void gemm(const int32_t* stream, const Output& out, int32_t ins, int32_t pixels, const uint32_t* buffer,
                   int8_t* const* y) {
    const int32_t padded = dsp::stream_ins(ins);
    const dsp::GemmArguments arguments = {buffer, buffer + padded / 2 * pixels, y[0], y[pixels - 1], padded / 4};
    ++stream;
    if (pixels == 1) {
      dsp::gemm_one_pixel_asm(stream, &arguments);
    } else if (out.zero == -128) {
      dsp::gemm_two_pixels_from_least_asm(stream, &arguments);
    } else {
      dsp::gemm_two_pixels_asm(stream, &arguments);
    }
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
      dsp::linear_from_least_asm(stream + 1, &arguments);
    } else {
      dsp::linear_asm(stream + 1, &arguments);
    }
  }

  // ---- depthwise over planar rows (isa/dsp/depthwise.h)

  static constexpr int32_t kDepthwiseChannels = dsp::kDepthwiseChannels;
  static constexpr int32_t depthwise_channels(const PlanarShape& /*p*/) { return kDepthwiseChannels; }
  static constexpr int32_t planar_row_bytes(int32_t columns) { return dsp::planar_row_bytes(columns); }

  static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const int32_t plane = dsp::plane_bytes(p.columns);
    const int32_t left = x == nullptr ? p.columns : p.left;
    const int32_t inside = x == nullptr ? 0 : p.inside;
    int16_t* row = reinterpret_cast<int16_t*>(to);
    for (int32_t c = 0; c < channels; ++c) {
      int16_t* columns = row + c * plane / 2;
      for (int32_t i = 0; i < left; ++i) columns[i] = static_cast<int16_t>(p.zero);
      for (int32_t i = left + inside; i < p.columns; ++i) columns[i] = static_cast<int16_t>(p.zero);
    }
    if (inside == 0) return;
    row += left;
    if (channels < kDepthwiseChannels) return planar_pixels(p, x, inside, channels, plane, row);
    const int32_t before = left % 2;  // pixels before the first whole word
    const int32_t pairs = (inside - before) / 2;
    planar_pixels(p, x, before, channels, plane, row);
    if (pairs > 0) dsp::planar_pairs_asm(x + before * p.pixel_in, p.pixel_in, row + before, plane, pairs);
    const int32_t done = before + 2 * pairs;
    planar_pixels(p, x + done * p.pixel_in, inside - done, channels, plane, row + done);
  }

  // One output row of `channels` channels; returns the end of their records. places: of the kernel's rows.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& /*out*/, const int32_t* record,
                                      int32_t channels, const int8_t* planar, const int32_t* places, int8_t* work,
                                      int8_t* y) {
    const int32_t plane = dsp::plane_bytes(p.columns);
    const int32_t weights = p.kernel_h * dsp::depthwise_pairs(p.kernel_w, p.dilation);
    int32_t* sums = reinterpret_cast<int32_t*>(work);
    const int32_t* sums_end = sums + (p.outputs + 1) / 2 * 2;
    const bool is_3x3 = p.kernel_h == 3 && p.kernel_w == 3 && p.dilation == 1;
    for (int32_t c = 0; c < channels; ++c, planar += plane, record += weights + 4, y += p.channel_out) {
      if (is_3x3 && p.stride == 1) {
        dsp::sums_3x3_stride_1_asm(record, places, planar, sums, sums_end);
      } else if (is_3x3 && p.stride == 2) {
        dsp::sums_3x3_stride_2_asm(record, places, planar, sums, sums_end);
      } else {
        depthwise_sums(p, record, places, planar, sums);
      }
      dsp::requantize_row_asm(sums, p.outputs, y, record + weights + 1, p.pixel_out);
    }
    return record;
  }

 private:
  // The first `n` <= 4 bytes at p as one word, zeros above.
  static int8x4_t word(const int8_t* p, int32_t n) {
    int8x4_t bits = 0;
    if (n == 4) {
      memcpy(&bits, p, 4);
    } else {
      memcpy(&bits, p, static_cast<uint32_t>(n));
    }
    return bits;
  }

  static void planar_pixels(const PlanarShape& p, const int8_t* x, int32_t pixels, int32_t channels, int32_t plane,
                            int16_t* to) {
    for (; pixels > 0; --pixels, x += p.pixel_in, ++to)
      for (int32_t c = 0; c < channels; ++c) to[c * plane / 2] = x[c];
  }

  // Sums of any kernel, along a row of one channel.
  static void depthwise_sums(const PlanarShape& p, const int32_t* record, const int32_t* places, const int8_t* plane,
                             int32_t* sums) {
    const int32_t pairs = dsp::depthwise_pairs(p.kernel_w, p.dilation);
    const int32_t step = p.dilation == 1 ? 4 : 2 * p.dilation;  // bytes between pairs of columns
    for (int32_t ox = 0; ox < p.outputs; ++ox, plane += 2 * p.stride) {
      const int32_t* weights = record;
      int32_t sum = record[p.kernel_h * pairs];
      for (int32_t ky = 0; ky < p.kernel_h; ++ky) {
        const int8_t* columns = plane + places[ky];
        for (int32_t i = 0; i < pairs; ++i, columns += step) sum = __smlad(word(columns, 4), *weights++, sum);
      }
      sums[ox] = sum;
    }
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

}  // namespace v0_1
}  // namespace f8k
