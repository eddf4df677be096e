// One operand of a concatenation: `runs` runs of `bytes` bytes, one after the other in x, `stride` bytes apart in y.
#pragma once

#include <stdint.h>
#include <string.h>

namespace f8k {
inline namespace v0_1 {

struct CatOperand {
  int32_t runs;
  int32_t bytes;
  int32_t stride;
  int32_t start;  // bytes of y before the operand's first run
};

template <class Isa>
void cat_operand(const CatOperand& s, const int8_t* x, int8_t* y) {
  y += s.start;
  if (s.bytes == 1) {
    for (int32_t i = 0; i < s.runs; ++i, y += s.stride) *y = x[i];
    return;
  }
  for (int32_t i = 0; i < s.runs; ++i, x += s.bytes, y += s.stride) memcpy(y, x, static_cast<uint32_t>(s.bytes));
}

}  // namespace v0_1
}  // namespace f8k
