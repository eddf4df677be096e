// Between float32 and int8 at a model's ends, in integer operations on the float's bits: the same result under any
// floating-point flags, without libm. docs/arithmetic.md section 1.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/rescale.h"

namespace f8k {
inline namespace v0_1 {

// x to the nearest integer, ties to even; anything beyond +-512 gives +-512 (an int8 clamp follows), NaN gives 0.
inline int32_t round_half_even(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int32_t exponent = static_cast<int32_t>((bits >> 23) & 0xffu) - 127;  // |x| in [2^exponent, 2^(exponent + 1))
  const uint32_t mantissa = (bits & 0x7fffffu) | 0x800000u;
  int32_t magnitude;
  if (exponent == 128 && (bits & 0x7fffffu) != 0) {
    magnitude = 0;  // NaN
  } else if (exponent < -1) {
    magnitude = 0;  // |x| < 1/2
  } else if (exponent >= 9) {
    magnitude = 512;
  } else {
    const uint32_t shift = static_cast<uint32_t>(23 - exponent);  // 15 .. 24
    const uint32_t whole = mantissa >> shift;
    const uint32_t rest = mantissa & ((1u << shift) - 1u);
    const uint32_t half = 1u << (shift - 1u);
    magnitude = static_cast<int32_t>(whole + (rest > half || (rest == half && (whole & 1u) != 0) ? 1u : 0u));
  }
  return (bits >> 31) != 0 ? -magnitude : magnitude;
}

}  // namespace v0_1
}  // namespace f8k
