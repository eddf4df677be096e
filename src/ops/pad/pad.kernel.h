// y = x with `value` around it, up to rank 5 on runs of bytes; x may be cropped where the padding is negative. y is
// written once, from its first byte to its last. x and y must not overlap, except that a single run of x may already
// lie where it belongs in y.
#pragma once

#include <stdint.h>
#include <string.h>

namespace f8k {
inline namespace v0_1 {

// Outermost first. Along the innermost dimension `count` bytes of x are one run.
struct PadShape {
  int32_t count[5];   // of x, without what is cropped
  int32_t stride[5];  // bytes of x between neighbours
  int32_t before[5];  // bytes of padding in y
  int32_t after[5];
};

inline int8_t* pad_fill(int8_t* y, int32_t bytes, int32_t value) {
  if (bytes > 0) memset(y, value, static_cast<uint32_t>(bytes));
  return y + bytes;
}

template <int kDepth>
inline int8_t* pad_dimension(const PadShape& s, int32_t value, const int8_t* x, int8_t* y) {
  y = pad_fill(y, s.before[kDepth], value);
  if constexpr (kDepth == 4) {
    if (x != y) memcpy(y, x, static_cast<uint32_t>(s.count[4]));
    y += s.count[4];
  } else {
    for (int32_t i = 0; i < s.count[kDepth]; ++i, x += s.stride[kDepth]) y = pad_dimension<kDepth + 1>(s, value, x, y);
  }
  return pad_fill(y, s.after[kDepth], value);
}

// `start`: bytes of x before the first that is kept.
template <class Isa>
void pad(const PadShape& shape, int32_t start, int32_t value, const int8_t* x, int8_t* y) {
  pad_dimension<0>(shape, value, x + start, y);
}

}  // namespace v0_1
}  // namespace f8k
