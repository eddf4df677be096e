// y[i] = min(max(x[i], lo), hi). x and y may be the same.
#pragma once

#include "core/requantize.h"
#include "core/rescale.h"

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void clamp_elements(int32_t elems, int32_t lo, int32_t hi, const int8_t* x, int8_t* y) {
  for (int32_t i = 0; i < elems; ++i) y[i] = static_cast<int8_t>(clamp(x[i], lo, hi));
}

// The clamp of results that are stored without it; most have none.
template <class Isa>
inline void clamp_results(int32_t elems, const Output& out, int8_t* y) {
  if (out.lo > -128 || out.hi < 127) clamp_elements<Isa>(elems, out.lo, out.hi, y, y);
}

}  // namespace v0_1
}  // namespace f8k
