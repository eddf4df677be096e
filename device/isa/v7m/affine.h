// Affine sums (core/affine.h) one element at a time: two loads, two multiply-accumulates, USAT with its shift, a store.
#pragma once

#include "core/affine.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// base: what is added to every sum. Saturate: from a sum to an int8.
template <class Saturate, bool kClamp, int kStepA, int kStepB>
inline void affine(int32_t elems, const Affine& f, int32_t base, const Output& out, const int8_t* a, const int8_t* b,
                   int8_t* y) {
  const int32_t scale_a = f.a;
  const int32_t scale_b = f.b;
  for (int32_t i = 0; i < elems; ++i) {
    int32_t sum = base;
    if (kStepA != 0) sum += scale_a * a[i];
    if (kStepB != 0) sum += scale_b * b[i];
    const int32_t q = Saturate::of(sum);
    y[i] = static_cast<int8_t>(kClamp ? clamp(q, out.lo, out.hi) : q);
  }
}

// A scale and a bias for each element. top: what is added to every sum.
template <class Saturate, bool kClamp, int kStepX>
inline void affine_each(int32_t elems, int32_t top, const Output& out, const int8_t* x, const int32_t* scale,
                        const int32_t* bias, int8_t* y) {
  for (const int8_t* const end = y + elems; y != end; x += kStepX) {
    const int32_t q = Saturate::of(*bias++ + top + *scale++ * *x);
    *y++ = static_cast<int8_t>(kClamp ? clamp(q, out.lo, out.hi) : q);
  }
}

// Of sums that 128 << kShift was added to: 0 and 255 are immediate operands, and GCC forms USAT; -128 is none, which
// would keep it from forming SSAT in a loop.
template <int kShift>
struct Saturate {
  static int32_t of(int32_t sum) { return clamp(sum >> kShift, 0, 255) - 128; }
};

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
