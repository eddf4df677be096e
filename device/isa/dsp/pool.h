// Pooling along a run of pixels (core/pool.h): four channels an instruction or two.
#pragma once

#include <arm_acle.h>
#include <string.h>

#include "core/pool.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

inline void sum_words(const int8_t* x, int32_t pixels, int32_t pitch, int32_t* acc) {
  int16x2_t even = 0;
  int16x2_t odd = 0;
  for (int32_t p = 0; p < pixels; ++p, x += pitch) {
    int8x4_t bytes;
    memcpy(&bytes, x, 4);
    asm("sxtab16 %0, %0, %2\n sxtab16 %1, %1, %2, ror #8" : "+r"(even), "+&r"(odd) : "r"(bytes));
  }
  acc[0] += static_cast<int16_t>(even);
  acc[1] += static_cast<int16_t>(odd);
  acc[2] += even >> 16;
  acc[3] += odd >> 16;
}

// SSUB8 notes which bytes of `a` are not below those of `b`; SEL takes, there, those of `x`, and those of `y` elsewhere.
inline int8x4_t select(int8x4_t a, int8x4_t b, int8x4_t x, int8x4_t y) {
  __ssub8(a, b);
  return static_cast<int8x4_t>(__sel(static_cast<uint8x4_t>(x), static_cast<uint8x4_t>(y)));
}

inline int8x4_t four_times(int32_t x) { return static_cast<int8x4_t>((static_cast<uint32_t>(x) & 0xffu) * 0x01010101u); }

inline void max_words(const PoolWindow& w, int32_t at, int32_t lo, int32_t hi, int8_t* y) {
  int8x4_t most = four_times(lo);
  for (int32_t i = 0; i < w.row_count; ++i) {
    const int8_t* x = w.rows[i] + at;
    for (int32_t p = 0; p < w.pixels; ++p, x += w.pitch) {
      int8x4_t bytes;
      memcpy(&bytes, x, 4);
      most = select(bytes, most, bytes, most);
    }
  }
  const int8x4_t highest = four_times(hi);
  most = select(highest, most, most, highest);
  memcpy(y, &most, 4);
}

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
