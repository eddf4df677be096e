// Pooling along a run of pixels (core/pool.h): sums of eight channels in 16 bits, maxima of sixteen.
#pragma once

#include <arm_mve.h>

#include "core/pool.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline constexpr int32_t kSumLanes = 8;
inline constexpr int32_t kMaxLanes = 16;

// Functions of their own, in which the compiler keeps the predicate in its register.

// Writes all of acc[kSumLanes]: sums of lanes that are not there stay as they are.
[[gnu::noinline]] inline void sum_run(const int8_t* x, int32_t pixels, int32_t pitch, int32_t lanes, int32_t* acc) {
  int16x8_t sum = vdupq_n_s16(0);
  if (lanes == kSumLanes) {
    for (int32_t p = 0; p < pixels; ++p, x += pitch) sum = vaddq_s16(sum, vldrbq_s16(x));
  } else {
    const mve_pred16_t used = vctp16q(static_cast<uint32_t>(lanes));
    for (int32_t p = 0; p < pixels; ++p, x += pitch) sum = vaddq_s16(sum, vldrbq_z_s16(x, used));
  }
  int16_t halves[kSumLanes];
  vst1q_s16(halves, sum);
  vst1q_s32(acc, vaddq_s32(vld1q_s32(acc), vldrhq_s32(halves)));
  vst1q_s32(acc + 4, vaddq_s32(vld1q_s32(acc + 4), vldrhq_s32(halves + 4)));
}

[[gnu::noinline]] inline void max_window(const PoolWindow& w, int32_t at, int32_t lanes, int32_t lo, int32_t hi,
                                         int8_t* y) {
  const mve_pred16_t used = vctp8q(static_cast<uint32_t>(lanes));
  int8x16_t most = vdupq_n_s8(static_cast<int8_t>(lo));
  for (int32_t i = 0; i < w.row_count; ++i) {
    const int8_t* x = w.rows[i] + at;
    for (int32_t p = 0; p < w.pixels; ++p, x += w.pitch) most = vmaxq_s8(most, vldrbq_z_s8(x, used));
  }
  vstrbq_p_s8(y, vminq_s8(most, vdupq_n_s8(static_cast<int8_t>(hi))), used);
}

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
