// ARMv6-M and ARMv8-M baseline (Cortex-M0, M0+, M23): no long multiplication, no unaligned access, no division.
// Portable C++17.
#pragma once

#include "isa/v6m/affine.h"
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
};

}  // namespace v0_1
}  // namespace f8k
