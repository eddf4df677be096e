// Multiplication by a positive real in integers, as docs/arithmetic.md section 2 defines it (profile `tflite`).
// Portable C++17; an ISA overrides what it can do faster and must give the same integers.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

// A real number as multiplier * 2^(shift - 31); multiplier in [2^30, 2^31), or 0. shift > 0 shifts left.
struct Rescale {
  int32_t multiplier;
  int32_t shift;
};

// x * 2^n, saturated to int32. 0 <= n <= 30.
inline int32_t saturating_shift_left(int32_t x, int32_t n) {
  const int32_t limit = INT32_MAX >> n;
  if (x > limit) return INT32_MAX;
  if (x < -limit - 1) return INT32_MIN;
  return static_cast<int32_t>(static_cast<uint32_t>(x) << n);
}

// x / 2^n to the nearest, ties away from zero. 0 <= n <= 31; x > INT32_MIN. Half a step up is the last bit shifted out,
// rounded down below 0 by taking 1 away before: nothing overflows.
inline int32_t rounding_shift_right(int32_t x, int32_t n) {
  if (n == 0) return x;
  const int32_t halves = (x + (x >> 31)) >> (n - 1);
  return (halves >> 1) + (halves & 1);
}

// (a * b + 2^30) >> 31, with b >= 0: no overflow. One SMULL where the core has it.
inline int32_t doubling_high_mul(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (1 << 30)) >> 31);
}

inline int32_t clamp(int32_t x, int32_t lo, int32_t hi) { return x < lo ? lo : x > hi ? hi : x; }

// round(x * r). Isa gives doubling_high_mul.
template <class Isa>
inline int32_t rescale(int32_t x, Rescale r) {
  if (r.shift > 0) return Isa::doubling_high_mul(saturating_shift_left(x, r.shift), r.multiplier);
  return rounding_shift_right(Isa::doubling_high_mul(x, r.multiplier), -r.shift);
}

}  // namespace v0_1
}  // namespace f8k
