// The rows of an image: a whole tensor, or a ring of the last few. Spatial kernels make one output row from pointers to
// input rows, so that where rows lie, and which of them exist at a time, is the caller's choice.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct Rows {
  int8_t* base;
  int32_t row_bytes;
  int32_t count;  // rows of the image
  int32_t held;   // of them in memory: all, or as many as the ring has

  // Row iy where it lies; null outside the image.
  int8_t* row(int32_t iy) const {
    if (iy < 0 || iy >= count) return nullptr;
    while (iy >= held) iy -= held;  // no division: some cores have none
    return base + iy * row_bytes;
  }
};

// Runs ops row by row: turns[i] says which of them makes its next row.
template <class... Ops>
void run_rows(const uint8_t* turns, int32_t count, const Ops&... ops) {
  int32_t next[sizeof...(Ops)] = {};
  for (int32_t i = 0; i < count; ++i) {
    const int32_t which = turns[i];
    const int32_t row = next[which]++;
    int32_t index = 0;
    const auto make = [&](const auto& op) {
      if (index++ == which) op.row(row);
    };
    (make(ops), ...);
  }
}

}  // namespace v0_1
}  // namespace f8k
