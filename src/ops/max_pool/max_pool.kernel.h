// Largest element of each window of each channel, NHWC int8: y = clamp(max x). Padding never wins: it is not looked at.
// max_pool_row makes one output row from pointers to its input rows: a whole tensor and a ring of rows are the same
// kernel under different pointers.
#pragma once

#include "core/pool.h"
#include "core/rows.h"
#include "core/window.h"

namespace f8k {
inline namespace v0_1 {

struct MaxPool {
  int32_t batch;
  int32_t channels;
  int32_t lo;  // of the clamp
  int32_t hi;
};

// rows[0..row_count): the window's input rows inside the image.
template <class Isa>
void max_pool_row(const MaxPool& s, const WindowAxis& across, const int8_t* const* rows, int32_t row_count, int8_t* y) {
  PoolWindow seen = {rows, row_count, 0, across.dilation * s.channels};
  WindowWalk walk = first_window(across);
  for (int32_t ox = 0; ox < across.out; ++ox, next_window(across, walk), y += s.channels) {
    const Window window = window_at(across, walk);
    seen.pixels = (window.end - window.first + across.dilation - 1) / across.dilation;
    for (int32_t c = 0; c < s.channels; c += Isa::kMaxLanes)
      Isa::max_window(seen, window.first * s.channels + c, smaller(s.channels - c, Isa::kMaxLanes), s.lo, s.hi, y + c);
  }
}

// No window has more than kMaxRows rows.
template <class Isa, int32_t kMaxRows>
struct MaxPools {
  const MaxPool& s;
  const WindowAxis& down;
  const WindowAxis& across;
  Rows x;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    for (int32_t image = 0; image < s.batch; ++image) {
      WindowWalk walk = first_window(down);
      for (int32_t oy = 0; oy < down.out; ++oy, next_window(down, walk)) make(memory, image, oy, walk);
    }
  }

  // For windows that are not adaptive.
  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    make(memory, image, oy, regular_window(down, oy));
  }

 private:
  template <class Memory>
  void make(Memory memory, int32_t image, int32_t oy, WindowWalk walk) const {
    const Window window = window_at(down, walk);
    const int8_t* rows[kMaxRows] = {};
    int32_t row_count = 0;
    for (int32_t iy = window.first; iy < window.end; iy += down.dilation) rows[row_count++] = x.row(memory, image, iy);
    max_pool_row<Isa>(s, across, rows, row_count, y.row(memory, image, oy));
  }
};

}  // namespace v0_1
}  // namespace f8k
