// y[i] = clamp(zero + round_half_even(x[i] * inverse_scale)), as PyTorch's quantize_per_tensor computes it.
#pragma once

#include "core/float_ends.h"
#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void quantize(int32_t elems, float inverse_scale, const Output& out, const float* x, int8_t* y) {
  for (int32_t i = 0; i < elems; ++i)
    y[i] = static_cast<int8_t>(clamp(out.zero + round_half_even(x[i] * inverse_scale), out.lo, out.hi));
}

}  // namespace v0_1
}  // namespace f8k
