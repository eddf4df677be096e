// y[i] = (x[i] - zero) * scale
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void dequantize(int32_t elems, float scale, int32_t zero, const int8_t* x, float* y) {
  for (int32_t i = 0; i < elems; ++i) y[i] = static_cast<float>(x[i] - zero) * scale;
}

}  // namespace v0_1
}  // namespace f8k
