// Sums and maxima of windows, channel by channel. An Isa takes kSumLanes or kMaxLanes channels at a time, the last ones
// with fewer:
//   sum_run(x, pixels, pitch, lanes, acc):  acc[j] += the sum over p of x[p * pitch + j], j < lanes, pixels <= kMostSummed
//   max_window(w, at, lanes, lo, hi, y):    y[j] = clamp(the largest of w.rows[i][at + p * w.pitch + j]), j < lanes
// No byte of other lanes is read or written.
#pragma once

#include "core/rescale.h"

namespace f8k {
inline namespace v0_1 {

inline constexpr int32_t kMostSummed = 256;  // int8 whose sum fits 16 bits

inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t larger(int32_t a, int32_t b) { return a < b ? b : a; }

// Pixels p < `pixels` of each of `row_count` rows.
struct PoolWindow {
  const int8_t* const* rows;
  int32_t row_count;
  int32_t pixels;
  int32_t pitch;
};

// sum_run() of any number of pixels.
template <class Isa>
inline void sum_pixels(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
  while (pixels > 0) {
    const int32_t some = smaller(pixels, kMostSummed);
    Isa::sum_run(x, some, pitch, lanes, acc);
    x += some * pitch;
    pixels -= some;
  }
}

}  // namespace v0_1
}  // namespace f8k
