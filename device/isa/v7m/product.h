// Products (core/product.h) one element at a time.
#pragma once

#include "core/product.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// Saturate: from a sum that has 128 << kShift on top to an int8.
template <class Saturate, int kShift, bool kClamp, int kStepA, int kStepB>
inline void product(int32_t elems, const Product& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
  const Product g = f;  // y cannot change a copy
  const int32_t base = g.offset + (128 << kShift);
  for (int32_t i = 0; i < elems; ++i, a += kStepA, b += kStepB) {
    const int32_t p = (*a - g.a_zero) * (*b - g.b_zero);
    const int32_t q = Saturate::of(base + g.high * p + ((g.low * p) >> 14) - ((p >> 31) & g.below));
    y[i] = static_cast<int8_t>(kClamp ? clamp(q, out.lo, out.hi) : q);
  }
}

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
