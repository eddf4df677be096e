// y = every `step`-th index of x along one dimension, as runs of bytes. x and y must not overlap.
#pragma once

#include <stdint.h>
#include <string.h>

namespace f8k {
inline namespace v0_1 {

struct SliceShape {
  int32_t outer;         // indices of the dimensions around
  int32_t outer_stride;  // bytes of x between them
  int32_t count;         // runs for each
  int32_t stride;        // bytes of x between runs
  int32_t bytes;         // of a run
  int32_t start;         // bytes of x before the first run
};

template <class Isa>
void slice(const SliceShape& s, const int8_t* x, int8_t* y) {
  x += s.start;
  for (int32_t i = 0; i < s.outer; ++i, x += s.outer_stride) {
    const int8_t* from = x;
    if (s.bytes == 1) {
      for (int32_t j = 0; j < s.count; ++j, from += s.stride) *y++ = *from;
    } else {
      for (int32_t j = 0; j < s.count; ++j, from += s.stride, y += s.bytes)
        memcpy(y, from, static_cast<uint32_t>(s.bytes));
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
