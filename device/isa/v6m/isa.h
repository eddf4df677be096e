// ARMv6-M and ARMv8-M baseline (Cortex-M0, M0+, M23): no long multiplication, no unaligned access, no division.
// Portable C++17 but for the matrix loops (isa/v6m/gemm.h), which have a portable form too: it also runs on the host,
// where tests compare it with the interpreter. A Cortex-M0 may have a multiplier of 32 cycles; nothing here is made for
// that one.
#pragma once

#include "isa/v6m/affine.h"
#include "isa/v6m/depthwise_asm.h"
#include "isa/v6m/gemm.h"
#include "isa/v6m/order.h"
#include "isa/v7m/isa.h"

namespace f8k {
inline namespace v0_1 {

struct V6m : V7m {
  static constexpr const char* kName = "v6m";
  static constexpr WeightOrder kGemmOrder = v6m::kGemmOrder;

  static void copy(int8_t* to, const int8_t* from, int32_t bytes) { copy_bytes<false>(to, from, bytes); }

  // (a * b + 2^30) >> 31 for b >= 0, from four 16 x 16 products: the core has no 32 x 32 -> 64 multiplication, and the
  // library's costs a call. a = ah * 2^16 + al, b likewise, al and bl unsigned; every partial sum fits 32 bits:
  // al*bh + (al*bl >> 16) < 2^31 + 2^16, |ah*bl| <= 2^15 * (2^16 - 1) < 2^31.
  static int32_t doubling_high_mul(int32_t a, int32_t b) {
    const int32_t ah = a >> 16;
    const int32_t bh = b >> 16;
    const uint32_t al = static_cast<uint32_t>(a) & 0xffffu;
    const uint32_t bl = static_cast<uint32_t>(b) & 0xffffu;
    const uint32_t low = al * bl;
    const uint32_t cross = al * static_cast<uint32_t>(bh) + (low >> 16);
    const int32_t signed_cross = ah * static_cast<int32_t>(bl);
    const uint32_t middle = (cross & 0xffffu) + (static_cast<uint32_t>(signed_cross) & 0xffffu);
    const int32_t high =
        ah * bh + static_cast<int32_t>(cross >> 16) + (signed_cross >> 16) + static_cast<int32_t>(middle >> 16);
    // The product is high * 2^32 + rest; add 2^30 and take bits 31 and up. The sum of rest and 2^30 may carry.
    const uint32_t rest = (middle << 16) | (low & 0xffffu);
    const uint32_t rounded = rest + (1u << 30);
    const uint32_t carry = rounded < rest ? 1u : 0u;
    return static_cast<int32_t>(((static_cast<uint32_t>(high) + carry) << 1) | (rounded >> 31));
  }

  // floor((2^32 - 1) / h), 2^15 <= h <= 2^16, by Newton's method from a line that is within 7 %. Three steps, each
  // rounded down twice, end at the quotient or one below: for every h.
  static uint32_t reciprocal(uint32_t h) {
    uint32_t q = 185000u - 2u * h + (h >> 3);
    for (int32_t i = 0; i < 3; ++i) {
      const int32_t lacks = static_cast<int32_t>(0u - q * h) >> 15;  // 2^17 * (1 - q * h / 2^32)
      q += static_cast<uint32_t>((lacks * static_cast<int32_t>(q)) >> 17);
    }
    return 0xffffffffu - q * h >= h ? q + 1 : q;
  }

  static void sum_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
    const bool aligned = ((reinterpret_cast<uintptr_t>(x) | static_cast<uintptr_t>(pitch)) & 3u) == 0;
    if (lanes == 4 && aligned) {
      v7m::sum_words<true>(x, pixels, pitch, acc);
    } else {
      v7m::sum_bytes(x, pixels, pitch, lanes, acc);
    }
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void product(int32_t elems, const Product& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    v7m::product<v6m::Saturate<kShift>, kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
  }

  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    const int32_t base = standing_part<kStepA, kStepB>(f, a, b) + (128 << kShift);
    v6m::affine<kShift, kClamp, kStepA, kStepB>(elems, f, base, out, a, b, y);
  }

  template <int kShift, bool kClamp, int kStepX>
  static void affine_each(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                          int8_t* y) {
    v7m::affine_each<v6m::Saturate<kShift>, kClamp, kStepX>(elems, 128 << kShift, out, x, scale, bias, y);
  }

  // ---- matrix kernels that read a stream (isa/v6m/stream.h)

  static constexpr int32_t kStreamPixels = v6m::kStreamPixels;
  static constexpr int32_t stream_pixels(int32_t /*ins*/) { return kStreamPixels; }
  static constexpr int32_t kStreamRows = 1;

  // Widens `bytes` of one pixel's window, from its byte `at`, into the buffer: an odd pixel joins the even one before
  // it in one word.
  [[gnu::noinline]] static void load(const int8_t* x, int32_t bytes, int32_t at, int32_t pixel, int32_t /*pixels*/,
                                     uint32_t* buffer) {
    uint32_t* to = buffer + at * v6m::kPixelWords + pixel / 2;
    if (pixel % 2 == 0) {
      v6m::load_even_asm(x, bytes, to);
    } else {
      v6m::load_odd_asm(x, bytes, to);
    }
  }

  // Whether there is load_run(), for the windows of several pixels at once.
  static constexpr bool kLoadsRuns = true;

  // The same for the windows of `pixels` pixels that lie `step` bytes apart.
  static void load_run(const int8_t* x, int32_t step, int32_t bytes, int32_t at, int32_t pixels, uint32_t* buffer) {
    uint32_t* to = buffer + at * v6m::kPixelWords;
    for (; pixels >= 2; pixels -= 2, x += 2 * step, ++to) v6m::load_pair_asm(x, bytes, to, step);
    if (pixels == 1) v6m::load_even_asm(x, bytes, to);
  }

  // Every channel of 1 to kStreamPixels pixels whose windows are in the buffer; y[i]: where pixel i's channels start,
  // at even distances.
  static void gemm(const int32_t* stream, const Output& /*out*/, int32_t ins, int32_t pixels, const uint32_t* buffer,
                   int8_t* const* y) {
    const int32_t* windows = reinterpret_cast<const int32_t*>(buffer);
    const v6m::GemmArguments arguments = {stream + stream[0],
                                          windows,
                                          windows + v6m::stream_ins(ins) * v6m::kPixelWords,
                                          y[0],
                                          pixels > 1 ? static_cast<int32_t>(y[1] - y[0]) : 0,
                                          4 * pixels};
    v6m::gemm_asm(stream + 1, &arguments);
  }

  // One row of a linear.
  static void stream_rows(const int32_t* stream, const Output& /*out*/, const int8_t* x, int32_t ins, int32_t outs,
                          int32_t /*rows*/, int8_t* /*scratch*/, int8_t* y) {
    int32_t sum = 0;
    for (int32_t k = 0; k < ins; ++k) sum += x[k];
    const auto offset = static_cast<uint32_t>(128 * sum);
    const v6m::RowSums offsets = v6m::joined(offset, offset, offset, offset);
    const v6m::RowArguments arguments = {x + ins, -ins, y, y + outs, offsets.all, offsets.upper};
    v6m::row_asm(stream, &arguments);
  }

  // ---- depthwise over planar rows (isa/v6m/depthwise.h)

  static constexpr int32_t kDepthwiseChannels = v6m::kDepthwiseChannels;
  static constexpr int32_t depthwise_channels(const PlanarShape& /*p*/) { return kDepthwiseChannels; }
  static constexpr int32_t planar_row_bytes(int32_t columns) { return v6m::planar_row_bytes(columns); }

  static void planar(const PlanarShape& p, const int8_t* x, int32_t channels, int8_t* to) {
    const int32_t left = x == nullptr ? p.columns : p.left;
    const int32_t inside = x == nullptr ? 0 : p.inside;
    const int32_t distance = is_3x3(p) ? p.stride : 1;
    int32_t* plane = reinterpret_cast<int32_t*>(to) + v6m::kMaxDistance - distance;
    for (int32_t c = 0; c < channels; ++c, plane += p.columns) {
      const int32_t bytes = inside * p.pixel_in;
      const v6m::PlaneArguments arguments = {p.zero, plane + left, plane + p.columns, -bytes, p.pixel_in, 4 * distance};
      v6m::plane_asm(inside == 0 ? nullptr : x + c + bytes, plane, &arguments);
    }
  }

  // One output row of `channels` channels; returns the end of their records. places: of the kernel's rows.
  static const int32_t* depthwise_row(const PlanarShape& p, const Output& /*out*/, const int32_t* record,
                                      int32_t channels, const int8_t* planar, const int32_t* places, int8_t* work,
                                      int8_t* y) {
    const int32_t weights = v6m::depthwise_weight_words(p.kernel_h * p.kernel_w);
    int32_t* sums = reinterpret_cast<int32_t*>(work);
    planar += 4 * v6m::kMaxDistance;
    for (int32_t c = 0; c < channels; ++c) {
      if (is_3x3(p)) {
        v6m::sums_3x3_asm(record, places, planar, sums, sums + (p.outputs + 1) / 2 * 2, 8 * p.stride);
      } else {
        depthwise_sums(p, record, places, planar, sums);
      }
      record = v6m::requantize_row_asm(sums, sums + p.outputs, record + weights + 1, y, p.pixel_out);
      planar += 4 * p.columns;
      y += p.channel_out;
    }
    return record;
  }

 private:
  static bool is_3x3(const PlanarShape& p) {
    return p.kernel_h == 3 && p.kernel_w == 3 && p.dilation == 1 && p.stride <= v6m::kMaxDistance;
  }

  // Sums of any kernel, along a row of one channel.
  static void depthwise_sums(const PlanarShape& p, const int32_t* record, const int32_t* places, const int8_t* plane,
                             int32_t* sums) {
    for (int32_t ox = 0; ox < p.outputs; ++ox, plane += 4 * p.stride) {
      const int8_t* weights = reinterpret_cast<const int8_t*>(record);
      int32_t sum = record[v6m::depthwise_weight_words(p.kernel_h * p.kernel_w)];
      for (int32_t ky = 0; ky < p.kernel_h; ++ky) {
        const int32_t* columns = reinterpret_cast<const int32_t*>(plane + places[ky]);
        for (int32_t kx = 0; kx < p.kernel_w; ++kx, columns += p.dilation)
          sum += static_cast<int16_t>(*columns) * *weights++;
      }
      sums[ox] = sum;
    }
  }
};

}  // namespace v0_1
}  // namespace f8k
