// ARMv8.1-M with the M-profile vector extension (Cortex-M55, M85): sixteen int8 lanes.
#pragma once

#include <arm_mve.h>
#include <string.h>

#include "core/planar.h"
#include "core/requantize.h"
#include "isa/mve/affine.h"
#include "isa/mve/depthwise.h"
#include "isa/mve/gemm.h"
#include "isa/mve/order.h"
#include "isa/v7m/isa.h"

#if !defined(__ARM_FEATURE_MVE)
#error "these kernels need MVE: compile with -mcpu=cortex-m55 or cortex-m85"
#endif

namespace f8k {
inline namespace v0_1 {

struct Mve : V7m {
  static constexpr const char* kName = "mve";
  static constexpr WeightOrder kGemmOrder = mve::kGemmOrder;

  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum = acc[0];
    for (int32_t k = 0; k < ins; k += 16) {
      const mve_pred16_t lanes = vctp8q(static_cast<uint32_t>(ins - k));  // the first ins - k lanes, at most 16
      sum = vmladavaq_p_s8(sum, vldrbq_z_s8(x + k, lanes), vldrbq_z_s8(w + k, lanes), lanes);
    }
    acc[0] = sum;
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    mve::affine_run<kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
  }

  // ---- matrix kernels that read a stream (isa/mve/stream.h)

  static constexpr int32_t kStreamPixels = mve::kPixels;
  static constexpr int32_t kStreamRows = 1;

  // Copies `bytes` of one pixel's window, from its byte `at` (a multiple of 4), into the buffer, where the 16-byte
  // blocks of the pixels alternate. Up to three bytes beyond `bytes` are left as they are; their weights are zeros.
  static void load(const int8_t* x, int32_t bytes, int32_t at, int32_t pixel, int32_t /*pixels*/, uint32_t* buffer) {
    int8_t* blocks = reinterpret_cast<int8_t*>(buffer) + 16 * pixel;
    if (at % 16 == 0)
      for (; bytes >= 16; bytes -= 16, x += 16, at += 16) vst1q_s8(blocks + at * kStreamPixels, vld1q_s8(x));
    for (; bytes > 0; bytes -= 4, x += 4, at += 4) {
      int8_t* to = blocks + (at & ~15) * kStreamPixels + (at & 15);
      if (bytes >= 4) {
        memcpy(to, x, 4);
      } else {
        memcpy(to, x, static_cast<uint32_t>(bytes));
      }
    }
  }

  // Every channel of 1 to 4 pixels whose windows are in the buffer; y[i]: where pixel i's channels start. The windows
  // of missing pixels are copies of the first one's, and so are their results.
  static void gemm(const int32_t* stream, const Output& out, int32_t ins, int32_t pixels, uint32_t* buffer,
                   int8_t* const* y) {
    const int32_t padded = mve::stream_ins(ins);
    int8_t* bytes = reinterpret_cast<int8_t*>(buffer);
    uint16_t offsets[2 * kStreamPixels];
    for (int32_t p = 0; p < kStreamPixels; ++p) {
      const int32_t offset = p < pixels ? static_cast<int32_t>(y[p] - y[0]) : 0;
      offsets[2 * p] = static_cast<uint16_t>(offset);
      offsets[2 * p + 1] = static_cast<uint16_t>(offset + 1);
      if (p >= pixels)
        for (int32_t k = 0; k < padded; k += 16)
          vst1q_s8(bytes + k * kStreamPixels + 16 * p, vld1q_s8(bytes + k * kStreamPixels));
    }
    const mve::PixelsArguments arguments = {
        stream + 1, stream + stream[0], bytes, bytes + padded * kStreamPixels, y[0], offsets, out.zero};
    mve::gemm_pixels_asm(&arguments);
  }

  // One row of a linear. scratch: stream_ins(ins) bytes.
  static void stream_rows(const int32_t* stream, const Output& out, const int8_t* x, int32_t ins, int32_t /*outs*/,
                          int32_t /*rows*/, int8_t* scratch, int8_t* y) {
    const int32_t padded = mve::stream_ins(ins);
    if (padded != ins) {
      memcpy(scratch, x, static_cast<uint32_t>(ins));
      x = scratch;
    }
    const mve::RowArguments arguments = {stream + 1, stream + stream[0], x, x + padded, y, out.zero};
    mve::gemm_row_asm(&arguments);
  }

  // ---- depthwise over planar rows (isa/mve/depthwise.h)

  static constexpr int32_t kDepthwiseChannels = mve::kDepthwiseChannels;
  static constexpr int32_t planar_row_bytes(int32_t columns) { return mve::planar_row_bytes(columns); }

  static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(channels));
    const int16x8_t padding = vdupq_n_s16(static_cast<int16_t>(p.zero));
    const int32_t left = x == nullptr ? p.columns : p.left;
    const int32_t end = x == nullptr ? p.columns : p.left + p.inside;
    for (int32_t i = 0; i < left; ++i, to += kDepthwiseChannels) vstrbq_s16(to, padding);
    for (int32_t i = left; i < end; ++i, to += kDepthwiseChannels, x += p.pixel_in)
      vstrbq_s16(to, vldrbq_z_s16(x, lanes));
    for (int32_t i = end; i < p.columns; ++i, to += kDepthwiseChannels) vstrbq_s16(to, padding);
  }

  // One output row of `channels` channels; returns the end of their block. places: of the kernel's rows.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& out, const int32_t* block, int32_t channels,
                                      const int8_t* planar, const int32_t* places, int8_t* /*work*/, int8_t* y) {
    const int32_t* scales = block + 8 + 2 * p.kernel_h * p.kernel_w;
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(channels));
    const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), static_cast<uint16_t>(p.channel_out));
    for (int32_t ox = 0; ox < p.outputs; ++ox, planar += kDepthwiseChannels * p.stride, y += p.pixel_out) {
      int32x4_t even = vld1q_s32(block);
      int32x4_t odd = vld1q_s32(block + 4);
      const int8_t* weights = reinterpret_cast<const int8_t*>(block + 8);
      for (int32_t ky = 0; ky < p.kernel_h; ++ky)
        for (int32_t kx = 0; kx < p.kernel_w; ++kx, weights += kDepthwiseChannels) {
          const int16x8_t x = vldrbq_s16(planar + places[ky] + kDepthwiseChannels * kx * p.dilation);
          const int16x8_t w = vldrbq_s16(weights);
          even = vaddq_s32(even, vmullbq_int_s16(x, w));
          odd = vaddq_s32(odd, vmulltq_int_s16(x, w));
        }
      int16x8_t narrow = vdupq_n_s16(0);
      narrow = vqmovnbq_s32(narrow, scaled(even, scales, scales + 8));
      narrow = vqmovntq_s32(narrow, scaled(odd, scales + 4, scales + 12));
      narrow = vqaddq_n_s16(narrow, static_cast<int16_t>(out.zero));
      narrow = vmaxq_s16(vminq_s16(narrow, vdupq_n_s16(127)), vdupq_n_s16(-128));
      vstrbq_scatter_offset_p_s16(y, offsets, narrow, lanes);
    }
    return scales + 16;
  }

 private:
  // acc * multiplier, shifted right by 1 to 31 (shifts are negative): half is added, less one where acc is negative.
  static int32x4_t scaled(int32x4_t acc, const int32_t* multipliers, const int32_t* shifts) {
    const int32x4_t high = vqrdmulhq_s32(acc, vld1q_s32(multipliers));
    return vrshlq_s32(vaddq_s32(high, vshrq_n_s32(acc, 31)), vld1q_s32(shifts));
  }
};

}  // namespace v0_1
}  // namespace f8k
