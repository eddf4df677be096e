// Pooling along a run of pixels (core/pool.h) without SIMD instructions: sums of four channels in two words.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/pool.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

template <bool kAligned>
inline uint32_t load_word(const int8_t* x) {
  if constexpr (kAligned) {
    using Word [[gnu::may_alias]] = uint32_t;  // memcpy would be a call: the compiler does not see the alignment
    return *reinterpret_cast<const Word*>(x);
  } else {
    uint32_t word;
    memcpy(&word, x, 4);
    return word;
  }
}

// One word a pixel. x ^ 128 is x + 128 without a sign, and 256 of them fit a halfword: channels 0 and 2 are summed in
// one word, 1 and 3 in another.
template <bool kAligned>
inline void sum_words(const int8_t* x, int32_t pixels, int32_t pitch, int32_t* acc) {
  constexpr uint32_t kHalves = 0x00ff00ffu;
  uint32_t even = 0;
  uint32_t odd = 0;
  for (int32_t p = 0; p < pixels; ++p, x += pitch) {
    const uint32_t bytes = load_word<kAligned>(x) ^ 0x80808080u;
    even += bytes & kHalves;
    odd += (bytes >> 8) & kHalves;
  }
  acc[0] += static_cast<int32_t>(even & 0xffffu) - 128 * pixels;
  acc[1] += static_cast<int32_t>(odd & 0xffffu) - 128 * pixels;
  acc[2] += static_cast<int32_t>(even >> 16) - 128 * pixels;
  acc[3] += static_cast<int32_t>(odd >> 16) - 128 * pixels;
}

inline void sum_bytes(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
  for (int32_t j = 0; j < lanes; ++j) {
    int32_t sum = acc[j];
    const int8_t* from = x + j;
    for (int32_t p = 0; p < pixels; ++p, from += pitch) sum += *from;
    acc[j] = sum;
  }
}

// Four channels in one walk: windows are small.
inline void max_four(const PoolWindow& w, int32_t at, int32_t lo, int32_t hi, int8_t* y) {
  int32_t most0 = lo;
  int32_t most1 = lo;
  int32_t most2 = lo;
  int32_t most3 = lo;
  for (int32_t i = 0; i < w.row_count; ++i) {
    const int8_t* x = w.rows[i] + at;
    for (int32_t p = 0; p < w.pixels; ++p, x += w.pitch) {
      most0 = larger(most0, x[0]);
      most1 = larger(most1, x[1]);
      most2 = larger(most2, x[2]);
      most3 = larger(most3, x[3]);
    }
  }
  y[0] = static_cast<int8_t>(smaller(most0, hi));
  y[1] = static_cast<int8_t>(smaller(most1, hi));
  y[2] = static_cast<int8_t>(smaller(most2, hi));
  y[3] = static_cast<int8_t>(smaller(most3, hi));
}

inline void max_bytes(const PoolWindow& w, int32_t at, int32_t lanes, int32_t lo, int32_t hi, int8_t* y) {
  for (int32_t j = 0; j < lanes; ++j) {
    int32_t most = lo;
    for (int32_t i = 0; i < w.row_count; ++i) {
      const int8_t* x = w.rows[i] + at + j;
      for (int32_t p = 0; p < w.pixels; ++p, x += w.pitch) most = larger(most, *x);
    }
    y[j] = static_cast<int8_t>(smaller(most, hi));
  }
}

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
