// Pooling along a run of pixels (core/pool.h): four channels an instruction or two.
#pragma once

#include <arm_acle.h>
#include <string.h>

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

// SSUB8 notes which bytes are not below the largest so far, SEL takes those.
inline void max_words(const int8_t* x, int32_t pixels, int32_t pitch, int8_t* max) {
  int8x4_t most;
  memcpy(&most, max, 4);
  for (int32_t p = 0; p < pixels; ++p, x += pitch) {
    int8x4_t bytes;
    memcpy(&bytes, x, 4);
    __ssub8(bytes, most);
    most = static_cast<int8x4_t>(__sel(static_cast<uint8x4_t>(bytes), static_cast<uint8x4_t>(most)));
  }
  memcpy(max, &most, 4);
}

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
