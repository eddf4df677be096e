// From an accumulator to int8 in four instructions, docs/arithmetic.md "Requantization on ARMv7-M". With
// v = acc * 2^fraction:
//   y = saturate8((high word of (v * multiplier) + C - sign) >> shift),   sign = acc < 0 ? 2^(fraction - 1) : 0
// where shift = what the Rescale shifts right, plus fraction - 1. sign is left out where results that it matters for
// are clamped anyway; kBySign in the word of shift, whose low byte is the count, says that it is not.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace v7m {

inline constexpr int32_t kScaleWords = 3;  // multiplier, C, shift
inline constexpr int32_t kBySign = INT32_MIN;
inline constexpr int32_t kGemmFraction = 8;
inline constexpr int32_t kDepthwiseFraction = 11;

constexpr int32_t shift_base(int32_t fraction) { return fraction - 1; }
constexpr int32_t rounding(int32_t fraction) { return 1 << (fraction - 2); }  // of the multiplication
constexpr int32_t sign_step(int32_t fraction) { return 1 << (fraction - 1); }

inline int8_t scaled(int32_t v, int32_t fraction, const int32_t* scale) {
  const int64_t product = static_cast<int64_t>(v) * scale[0];
  const int32_t sign = scale[2] < 0 && v < 0 ? sign_step(fraction) : 0;
  const int32_t y = (static_cast<int32_t>(product >> 32) + scale[1] - sign) >> (scale[2] & 0xff);
  return static_cast<int8_t>(y < -128 ? -128 : y > 127 ? 127 : y);
}

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
