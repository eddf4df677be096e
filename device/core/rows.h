// The rows of an image: a whole tensor, or a ring of the last few. Spatial kernels make one output row from pointers to
// input rows, so that where rows lie, and which of them exist at a time, is the caller's choice. Memory: uint8_t*, the
// arena, or Buffers.
#pragma once

#include <stdint.h>

#include "core/address.h"

namespace f8k {
inline namespace v0_1 {

struct Rows {
  int32_t start;  // offset: core/address.h
  int32_t row_bytes;
  int32_t count;  // rows of an image
  int32_t held;   // of them in memory: all, or as many as the ring has

  // Row iy of image `image` (of several only where all rows are in memory); null outside the image.
  template <class Memory>
  int8_t* row(Memory memory, int32_t image, int32_t iy) const {
    if (iy < 0 || iy >= count) return nullptr;
    while (iy >= held) iy -= held;  // no division: some cores have none
    return at<int8_t>(memory, start) + (image * count + iy) * row_bytes;
  }
};

// All rows of all images of an op, in order.
template <class Memory, class Op>
void all_rows(Memory memory, int32_t images, const Op& op) {
  for (int32_t image = 0; image < images; ++image)
    for (int32_t row = 0; row < op.y.count; ++row) op.row(memory, image, row);
}

// Runs ops row by row: turns[i] says which of them makes its next row.
template <class Memory, class... Ops>
void run_rows(Memory memory, const uint8_t* turns, int32_t count, const Ops&... ops) {
  int32_t next[sizeof...(Ops)] = {};
  for (int32_t i = 0; i < count; ++i) {
    const int32_t which = turns[i];
    const int32_t row = next[which]++;
    int32_t index = 0;
    const auto make = [&](const auto& op) {
      if (index++ == which) op.row(memory, 0, row);
    };
    (make(ops), ...);
  }
}

}  // namespace v0_1
}  // namespace f8k
