// Affine sums (core/affine.h) for ARMv6-M, which has no saturation: one comparison finds both ways out of 0..255.
#pragma once

#include "core/affine.h"

namespace f8k {
inline namespace v0_1 {
namespace v6m {

// Of sums that 128 << kShift was added to.
template <int kShift>
struct Saturate {
  static int32_t of(int32_t sum) {
    int32_t q = sum >> kShift;
    if (static_cast<uint32_t>(q) > 255u) q = ~(q >> 31);
    return static_cast<int8_t>(q ^ 128);
  }
};

// base holds 128 << kShift. Counting up to 0 leaves the seven low registers that the loop needs.
template <int kShift, bool kClamp, int kStepA, int kStepB>
inline void affine(int32_t elems, const Affine& f, int32_t base, const Output& out, const int8_t* a, const int8_t* b,
                   int8_t* y) {
  const int32_t scale_a = f.a;
  const int32_t scale_b = f.b;
  a += elems * kStepA;
  b += elems * kStepB;
  y += elems;
  for (int32_t i = -elems; i != 0; ++i) {
    int32_t sum = base;
    if (kStepA != 0) sum += scale_a * a[i];
    if (kStepB != 0) sum += scale_b * b[i];
    const int32_t q = Saturate<kShift>::of(sum);
    y[i] = static_cast<int8_t>(kClamp ? clamp(q, out.lo, out.hi) : q);
  }
}

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
