// From sums to results, as isa/v6m/stream.h defines a rescale. For Arm in assembly, in instructions that the baseline
// has; elsewhere in plain C++ from the same words, for tests on the host. Naked functions: their registers are theirs
// at every optimisation level.
#pragma once

#include "core/naked.h"
#include "isa/v6m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v6m {

#if defined(__thumb__)

// Keeps and restores the registers that are the caller's; r0 - r3, the arguments, stay.
#define F8K_V6M_ENTER                                                                          \
  ".syntax unified\n push {r4-r7, lr}\n mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n" \
  "push {r4-r7}\n"
#define F8K_V6M_LEAVE "pop {r4-r7}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n pop {r4-r7, pc}\n"

// -128 or 127, for d out of range.
#define F8K_V6M_SATURATE(d, result, temporary) \
  "asrs " result ", " d ", #31\n movs " temporary ", #127\n eors " result ", " temporary "\n"
// d * multiplier, but in a wide rescale: to `low`, which held multiplier_low. d and multiplier_high are `one` and the
// `other`, of which `one` is lost.
#define F8K_V6M_PRODUCT(d, low, one, other) \
  "muls " low ", " d "\n lsrs " low ", " low ", #14\n muls " one ", " other "\n adds " low ", " one "\n"
// The unsaturated result of a wide rescale to r1: d in r0, the words of its Scale but the first in r2 - r7.
#define F8K_V6M_WIDE                                                                                       \
  "cmp r0, r6\n movs r6, #0\n adcs r4, r6\n uxth r1, r0\n lsrs r0, r0, #16\n mov r6, r1\n muls r6, r2\n"   \
  "lsrs r6, r6, #16\n muls r2, r0\n muls r0, r3\n muls r1, r3\n adds r1, r6\n adds r1, r2\n adds r1, r7\n" \
  "lsrs r1, r1, #15\n lsls r0, r0, #1\n adds r1, r0\n adds r1, r4\n asrs r1, r5\n"

// The sums from r0 up to lr, at least one, of one channel: results to r5, r4 bytes apart. r2: the channel's Scale,
// whose end goes to the stack at `place`. All registers are used; labels from 88.
#define F8K_V6M_REQUANTIZE(place) \
  "ldm r2!, {r1, r3, r6}\n mov r8, r1\n mov r10, r3\n mov r11, r6\n ldm r2!, {r6, r7}\n lsrs r1, r7, #30\n"    \
  "beq 97f\n ldm r2!, {r1, r3}\n str r2, [sp, #" place "]\n cmp r7, #0\n bmi 93f\n mov r9, r1\n mov r12, r3\n" \
  "90: ldm r0!, {r1}\n cmp r1, r8\n bhi 92f\n mov r3, r10\n mov r2, r11\n" F8K_V6M_PRODUCT("r1", "r3", "r2", "r1")   \
  "add r3, r12\n lsrs r3, r3, #13\n cmp r1, r9\n adcs r3, r6\n asrs r3, r7\n"                                 \
  "91: strb r3, [r5]\n adds r5, r5, r4\n cmp r0, lr\n bne 90b\n b 99f\n"                                      \
  "92: " F8K_V6M_SATURATE("r1", "r3", "r2") "b 91b\n"                                                         \
  "93: subs r2, #28\n mov r8, r2\n mov r9, r5\n mov r12, r4\n"                                                \
  "94: ldm r0!, {r1}\n mov r10, r0\n mov r11, r1\n mov r0, r8\n ldm r0!, {r1-r7}\n mov r0, r11\n cmp r0, r1\n" \
  "bhi 96f\n" F8K_V6M_WIDE                                                                                    \
  "95: mov r2, r9\n strb r1, [r2]\n add r9, r12\n mov r0, r10\n cmp r0, lr\n bne 94b\n b 99f\n"               \
  "96: " F8K_V6M_SATURATE("r0", "r1", "r2") "b 95b\n"                                                         \
  "89: " F8K_V6M_SATURATE("r1", "r3", "r1") "b 98f\n"                                                         \
  "97: str r2, [sp, #" place "]\n mov r2, r11\n"                                                              \
  "88: ldm r0!, {r1}\n cmp r1, r8\n bhi 89b\n mov r3, r10\n" F8K_V6M_PRODUCT("r1", "r3", "r1", "r2") \
  "adds r3, r6\n asrs r3, r7\n"                                                                                \
  "98: strb r3, [r5]\n adds r5, r5, r4\n cmp r0, lr\n bne 88b\n"                                              \
  "99:\n"

// `step` bytes between results. Returns the end of the scale.
[[F8K_NAKED]] inline const int32_t* requantize_row_asm(const int32_t* /*sums*/,
                                                                       const int32_t* /*sums_end*/,
                                                                       const int32_t* /*scale*/, int8_t* /*y*/,
                                                                       int32_t /*step*/) {
  asm volatile(F8K_V6M_ENTER "ldr r4, [sp, #36]\n mov r5, r3\n mov lr, r1\n" F8K_V6M_REQUANTIZE(
      "36") "ldr r0, [sp, #36]\n" F8K_V6M_LEAVE);
}

#else

inline int8_t rescaled(uint32_t d, const int32_t* words) {
  const auto word = [&](int32_t i) { return static_cast<uint32_t>(words[i]); };
  const bool has_all = scale_words(words) == 7;
  const Scale s = {word(0), word(1), word(2), words[3], word(4), has_all ? word(5) : 0, has_all ? word(6) : 0};
  if (d > s.range) return static_cast<int32_t>(d) < 0 ? -128 : 127;
  const bool wide = (s.shift & kWide) != 0;
  const bool rounds = (s.shift & (kWide | kNarrow)) != 0;
  uint64_t v = ((uint64_t{d} * s.multiplier_low) >> (wide ? 16 : 14)) + uint64_t{d} * s.multiplier_high;
  if (rounds) v = ((v + s.offset_low) >> (wide ? 15 : 13)) + (d >= s.at_zero ? 1 : 0);
  return static_cast<int8_t>((static_cast<int64_t>(v) + s.offset) >> (s.shift & 255));
}

inline const int32_t* requantize_row_asm(const int32_t* sums, const int32_t* sums_end, const int32_t* scale, int8_t* y,
                                         int32_t step) {
  for (; sums != sums_end; ++sums, y += step) *y = rescaled(static_cast<uint32_t>(*sums), scale);
  return scale + scale_words(scale);
}

#endif

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
