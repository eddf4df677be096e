// y[i0][i1]...: the dimensions of x in another order, up to rank 5 (missing dimensions have size 1). int8.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct PermuteShape {
  int32_t size[5];    // of y, outermost first
  int32_t stride[5];  // of x along each dimension of y, elements
};

template <class Isa>
void permute(const PermuteShape& s, const int8_t* x, int8_t* y) {
  for (int32_t a = 0; a < s.size[0]; ++a)
    for (int32_t b = 0; b < s.size[1]; ++b)
      for (int32_t c = 0; c < s.size[2]; ++c)
        for (int32_t d = 0; d < s.size[3]; ++d) {
          const int8_t* from = x + a * s.stride[0] + b * s.stride[1] + c * s.stride[2] + d * s.stride[3];
          for (int32_t e = 0; e < s.size[4]; ++e, from += s.stride[4]) *y++ = *from;
        }
}

}  // namespace v0_1
}  // namespace f8k
