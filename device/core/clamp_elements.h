// y[i] = min(max(x[i], lo), hi). x and y may be the same.
#pragma once

#include "core/rescale.h"

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void clamp_elements(int32_t elems, int32_t lo, int32_t hi, const int8_t* x, int8_t* y) {
  for (int32_t i = 0; i < elems; ++i) y[i] = static_cast<int8_t>(clamp(x[i], lo, hi));
}

}  // namespace v0_1
}  // namespace f8k
