// y[i] = clamp(zero + R(x[i] - input_zero)),  R = sx / sy, docs/arithmetic.md section 2. x and y may be the same.
#pragma once

#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct RequantizeInput {
  int32_t zero;
  int32_t multiplier;
  int32_t shift;
};

template <class Isa>
void requantize_elements(int32_t elems, const RequantizeInput& in, const Output& out, const int8_t* x, int8_t* y) {
  for (int32_t i = 0; i < elems; ++i) y[i] = requantize<Isa>(x[i] - in.zero, Rescale{in.multiplier, in.shift}, out);
}

}  // namespace v0_1
}  // namespace f8k
