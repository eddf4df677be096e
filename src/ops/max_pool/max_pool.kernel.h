// Largest element of each window of each channel, NHWC int8: y = clamp(max x). Padding never wins: it is not looked at.
// max_pool_row makes one output row from pointers to its input rows: a whole tensor and a ring of rows are the same
// kernel under different pointers.
#pragma once

#include "core/rescale.h"
#include "core/window.h"

namespace f8k {
inline namespace v0_1 {

struct MaxPool {
  int32_t batch;
  int32_t channels;
  int32_t lo;  // of the clamp
  int32_t hi;
};

inline int32_t larger(int32_t a, int32_t b) { return a < b ? b : a; }

// y[j] = the largest element of channel j of a window, for kLanes neighbouring channels: every `pitch`-th of `bytes` of
// each row, from byte `at` on. Starting from the clamp's lower bound makes it free: clamp(max x) = min(max(lo, x...),
// hi).
template <int32_t kLanes>
inline void max_window(const MaxPool& s, const int8_t* const* rows, int32_t row_count, int32_t at, int32_t bytes,
                       int32_t pitch, int8_t* y) {
  int32_t max[kLanes];
  for (int32_t j = 0; j < kLanes; ++j) max[j] = s.lo;
  for (int32_t i = 0; i < row_count; ++i) {
    const int8_t* x = rows[i] + at;
    for (int32_t k = 0; k < bytes; k += pitch, x += pitch)
      for (int32_t j = 0; j < kLanes; ++j) max[j] = x[j] > max[j] ? x[j] : max[j];
  }
  for (int32_t j = 0; j < kLanes; ++j) y[j] = static_cast<int8_t>(max[j] < s.hi ? max[j] : s.hi);
}

// rows[0..row_count): the window's input rows inside the image.
template <class Isa>
void max_pool_row(const MaxPool& s, const WindowAxis& across, const int8_t* const* rows, int32_t row_count, int8_t* y) {
  const int32_t pitch = across.dilation * s.channels;
  WindowWalk walk = first_window(across);
  for (int32_t ox = 0; ox < across.out; ++ox, next_window(across, walk), y += s.channels) {
    const Window window = window_at(across, walk);
    const int32_t at = window.first * s.channels;
    const int32_t bytes = (window.end - window.first) * s.channels;
    const int32_t quads = s.channels & ~3;
    for (int32_t c = 0; c < quads; c += 4) max_window<4>(s, rows, row_count, at + c, bytes, pitch, y + c);
    for (int32_t c = quads; c < s.channels; ++c) max_window<1>(s, rows, row_count, at + c, bytes, pitch, y + c);
  }
}

// x [batch][down.in][across.in][channels], y [batch][down.out][across.out][channels]; no window has more than kMaxRows
// rows.
template <class Isa, int32_t kMaxRows>
void max_pool(const MaxPool& s, const WindowAxis& down, const WindowAxis& across, const int8_t* x, int8_t* y) {
  const int32_t in_row = across.in * s.channels;
  for (int32_t b = 0; b < s.batch; ++b, x += down.in * in_row) {
    WindowWalk walk = first_window(down);
    for (int32_t oy = 0; oy < down.out; ++oy, next_window(down, walk), y += across.out * s.channels) {
      const Window window = window_at(down, walk);
      const int8_t* rows[kMaxRows] = {};
      int32_t row_count = 0;
      for (int32_t iy = window.first; iy < window.end; iy += down.dilation) rows[row_count++] = x + iy * in_row;
      max_pool_row<Isa>(s, across, rows, row_count, y);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
