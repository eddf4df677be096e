// From an int32 accumulator to an int8 result.
#pragma once

#include "core/rescale.h"

namespace f8k {
inline namespace v0_1 {

// What stands at the end of an op: zero point of the result and its clamp (lo <= hi, both in -128..127).
struct Output {
  int32_t zero;
  int32_t lo;
  int32_t hi;
};

// clamp(zero + round(acc * r))
template <class Isa>
inline int8_t requantize(int32_t acc, Rescale r, Output out) {
  // |rescale()| may reach 2^31 - 1, and |zero| <= 128: clamp before adding, so that the sum cannot overflow.
  const int32_t scaled = clamp(rescale<Isa>(acc, r), out.lo - out.zero, out.hi - out.zero);
  return static_cast<int8_t>(scaled + out.zero);
}

}  // namespace v0_1
}  // namespace f8k
