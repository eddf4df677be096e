// The rows of an image: a whole tensor, or a ring of the last few. Spatial kernels make one output row from pointers to
// input rows, so that where rows lie, and which of them exist at a time, is the caller's choice.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct Rows {
  int32_t at;  // bytes from the start of the arena
  int32_t row_bytes;
  int32_t count;  // rows of an image
  int32_t held;   // of them in memory: all, or as many as the ring has

  // Row iy of image `image` (of several only where all rows are in memory); null outside the image.
  int8_t* row(uint8_t* arena, int32_t image, int32_t iy) const {
    if (iy < 0 || iy >= count) return nullptr;
    while (iy >= held) iy -= held;  // no division: some cores have none
    return reinterpret_cast<int8_t*>(arena + at) + (image * count + iy) * row_bytes;
  }
};

// All rows of all images of an op, in order.
template <class Op>
void all_rows(uint8_t* arena, int32_t images, const Op& op) {
  for (int32_t image = 0; image < images; ++image)
    for (int32_t row = 0; row < op.y.count; ++row) op.row(arena, image, row);
}

// Runs ops row by row: turns[i] says which of them makes its next row.
template <class... Ops>
void run_rows(uint8_t* arena, const uint8_t* turns, int32_t count, const Ops&... ops) {
  int32_t next[sizeof...(Ops)] = {};
  for (int32_t i = 0; i < count; ++i) {
    const int32_t which = turns[i];
    const int32_t row = next[which]++;
    int32_t index = 0;
    const auto make = [&](const auto& op) {
      if (index++ == which) op.row(arena, 0, row);
    };
    (make(ops), ...);
  }
}

}  // namespace v0_1
}  // namespace f8k
