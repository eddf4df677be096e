// Mean over some dimensions: y = clamp(zy + R(sum (x - zx) * 2^up)),  R = sx / (sy * n) * 2^-up.
// Neighbouring dimensions of one kind are merged ahead of time; missing ones have size 1. docs/arithmetic.md "Pooling".
#pragma once

#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct MeanShape {
  int32_t kept[3];         // sizes of the dimensions of y, outermost first
  int32_t kept_stride[3];  // elements of x
  int32_t over[3];         // sizes of the dimensions that go
  int32_t over_stride[3];
};

struct MeanScale {
  int32_t offset;  // -zx * n
  int32_t multiplier;
  int32_t shift;
  int32_t up;
};

template <class Isa>
void mean(const MeanShape& s, const MeanScale& m, const Output& out, const int8_t* x, int8_t* y) {
  for (int32_t a = 0; a < s.kept[0]; ++a)
    for (int32_t b = 0; b < s.kept[1]; ++b)
      for (int32_t c = 0; c < s.kept[2]; ++c) {
        const int8_t* first = x + a * s.kept_stride[0] + b * s.kept_stride[1] + c * s.kept_stride[2];
        int32_t sum = m.offset;
        for (int32_t i = 0; i < s.over[0]; ++i)
          for (int32_t j = 0; j < s.over[1]; ++j) {
            const int8_t* from = first + i * s.over_stride[0] + j * s.over_stride[1];
            for (int32_t k = 0; k < s.over[2]; ++k, from += s.over_stride[2]) sum += *from;
          }
        *y++ = requantize<Isa>(static_cast<int32_t>(static_cast<uint32_t>(sum) << m.up), Rescale{m.multiplier, m.shift},
                               out);
      }
}

}  // namespace v0_1
}  // namespace f8k
