// The loops of isa/v7m/depthwise.h: see isa/v7m/gemm.h on their two forms.
#pragma once

#include <stdint.h>
#include <string.h>

#include "isa/v7m/depthwise.h"
#include "isa/v7m/scale.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

#if defined(__arm__)

// clang-format off
// Words of four channels, to planes `plane` bytes apart; r2 and r12 are the first and the fourth.
#define F8K_CHANNEL(first, second, to, bits)                                               \
  "sbfx " to ", " first ", #" bits ", #8\n sbfx r6, " second ", #" bits ", #8\n add " to ", " to ", r6, lsl #21\n"
#define F8K_CHANNELS(first, second)                                                        \
  F8K_CHANNEL(first, second, "r7", "0") F8K_CHANNEL(first, second, "r8", "8") "str r8, [r2, r3]\n" \
  F8K_CHANNEL(first, second, "r8", "16") "str r8, [r2, r3, lsl #1]\n str r7, [r2], #4\n"   \
  F8K_CHANNEL(first, second, "r8", "24") "str r8, [r12], #4\n"

// Of one pair of columns, four channels a word.
[[gnu::naked, gnu::noinline]] inline void planar_word(uint32_t /*first*/, uint32_t /*second*/, int32_t* /*to*/,
                                                      int32_t /*plane*/) {
  asm volatile(
      ".syntax unified\n push {r6-r8, lr}\n add r12, r3, r3, lsl #1\n add r12, r12, r2\n" F8K_CHANNELS("r0", "r1")
      "pop {r6-r8, pc}\n");
}

// Of pairs of pixels, `step` bytes from one pixel to the next.
[[gnu::naked, gnu::noinline]] inline void planar_pairs(const int8_t* /*x*/, int32_t /*step*/, int32_t* /*to*/,
                                                       int32_t /*plane*/, int32_t /*pairs*/) {
  asm volatile(
      ".syntax unified\n push {r4-r8, lr}\n ldr lr, [sp, #24]\n add r12, r3, r3, lsl #1\n add r12, r12, r2\n"
      "1: ldr r4, [r0]\n ldr r5, [r0, r1]\n add r0, r0, r1, lsl #1\n" F8K_CHANNELS("r4", "r5")
      "subs lr, lr, #1\n bne 1b\n"
      "pop {r4-r8, pc}\n");
}
#undef F8K_CHANNEL
#undef F8K_CHANNELS

// Accumulators of a 3x3 kernel along a row of one channel, 2^11 times. places: of the window's rows.
// r0-r5 weights, r6, r7 accumulator, r10-r12 rows, lr work; on the stack 2^11 * kernel_sum and the end of work.
#define F8K_ENTER                                                                          \
  ".syntax unified\n push {r4-r11, lr}\n ldr r4, [sp, #36]\n sub sp, #8\n mov lr, r3\n"    \
  "ldm r1, {r10-r12}\n add r10, r10, r2\n add r11, r11, r2\n add r12, r12, r2\n"           \
  "ldr r5, [r0, #24]\n lsl r5, r5, #11\n strd r5, r4, [sp]\n ldm r0, {r0-r5}\n"
#define F8K_ROW(first, row, w10, w2)                                                       \
  "ldrd r8, r9, [" row "], #4\n " first " r6, r7, r8, " w10 "\n smlal r6, r7, r9, " w2 "\n"
#define F8K_ROWS(first)                                                                    \
  F8K_ROW(first, "r10", "r0", "r1") F8K_ROW("smlal", "r11", "r2", "r3") F8K_ROW("smlal", "r12", "r4", "r5")
// The middle of r7:r6 to the bottom of r6. The bit that LSR shifts out is the sign of the part below.
#define F8K_MIDDLE "lsrs r6, r6, #21\n adc r6, r6, r7, lsl #11\n"
#define F8K_NEXT "ldr r8, [sp, #4]\n cmp lr, r8\n bne 1b\n add sp, #8\n pop {r4-r11, pc}\n"

// Outputs 2j - 1 and 2j at a time: the top of the accumulator stays, as the beginning of output 2j + 1.
[[gnu::naked, gnu::noinline]] inline void sums_3x3_stride_1(const int32_t* /*record*/, const int32_t* /*places*/,
                                                            const int8_t* /*plane*/, int32_t* /*work*/,
                                                            const int32_t* /*work_end*/) {
  asm volatile(
      F8K_ENTER "mov r6, #0\n mov r7, #0\n"
      "1: " F8K_ROWS("smlal") "ldr r8, [sp]\n add r9, r8, r6, lsl #11\n"
      F8K_MIDDLE "add r8, r8, r6, lsl #11\n strd r9, r8, [lr], #8\n"
      "asrs r6, r7, #10\n adc r6, r6, #0\n asr r7, r6, #31\n"
      F8K_NEXT);
}

[[gnu::naked, gnu::noinline]] inline void sums_3x3_stride_2(const int32_t* /*record*/, const int32_t* /*places*/,
                                                            const int8_t* /*plane*/, int32_t* /*work*/,
                                                            const int32_t* /*work_end*/) {
  asm volatile(
      F8K_ENTER
      "1: " F8K_ROWS("smull") "ldr r8, [sp]\n"
      F8K_MIDDLE "add r8, r8, r6, lsl #11\n str r8, [lr], #4\n"
      F8K_NEXT);
}
#undef F8K_ENTER
#undef F8K_ROW
#undef F8K_ROWS
#undef F8K_MIDDLE
#undef F8K_NEXT

#define F8K_FOUR(scale) scale("r7") scale("r8") scale("r9") scale("r10")
#define F8K_SCALE(acc)                                                                     \
  "smull lr, " acc ", " acc ", r4\n add " acc ", " acc ", r5\n"                            \
  "asr " acc ", " acc ", r6\n ssat " acc ", #8, " acc "\n"
#define F8K_SCALE_BY_SIGN(acc)                                                             \
  "asr r11, " acc ", #31\n smull lr, " acc ", " acc ", r4\n add " acc ", " acc ", r5\n"    \
  "add " acc ", " acc ", r11, lsl #10\n asr " acc ", " acc ", r6\n ssat " acc ", #8, " acc "\n"
// `outputs` results, `step` bytes apart. scale: multiplier, C, shift.
[[gnu::naked, gnu::noinline]] inline void scale_row(const int32_t* /*work*/, int32_t /*outputs*/, int8_t* /*y*/,
                                                    const int32_t* /*scale*/, int32_t /*step*/) {
  asm volatile(
      ".syntax unified\n push {r4-r11, lr}\n ldm r3, {r4-r6}\n ldr r3, [sp, #36]\n"
      "cmp r6, #0\n bmi 5f\n subs r1, r1, #4\n blt 2f\n"
      "1: ldm r0!, {r7-r10}\n" F8K_FOUR(F8K_SCALE)
      "strb r7, [r2]\n strb r8, [r2, r3]\n add r2, r2, r3, lsl #1\n"
      "strb r9, [r2]\n strb r10, [r2, r3]\n add r2, r2, r3, lsl #1\n subs r1, r1, #4\n bge 1b\n"
      "2: adds r1, r1, #4\n beq 4f\n"
      "3: ldr r7, [r0], #4\n" F8K_SCALE("r7") "strb r7, [r2]\n add r2, r2, r3\n subs r1, r1, #1\n bne 3b\n"
      "4: pop {r4-r11, pc}\n"
      "5: ldr r7, [r0], #4\n" F8K_SCALE_BY_SIGN("r7") "strb r7, [r2]\n add r2, r2, r3\n subs r1, r1, #1\n bne 5b\n"
      "b 4b\n");
}
#undef F8K_FOUR
#undef F8K_SCALE
#undef F8K_SCALE_BY_SIGN
// clang-format on

#else

inline void planar_word(uint32_t first, uint32_t second, int32_t* to, int32_t plane) {
  for (int32_t c = 0; c < kDepthwiseChannels; ++c)
    to[c * plane / 4] = static_cast<int8_t>(first >> 8 * c) + static_cast<int8_t>(second >> 8 * c) * (1 << kColumnBits);
}

inline void planar_pairs(const int8_t* x, int32_t step, int32_t* to, int32_t plane, int32_t pairs) {
  for (; pairs > 0; --pairs, x += 2 * step) {
    uint32_t first, second;
    memcpy(&first, x, 4);
    memcpy(&second, x + step, 4);
    planar_word(first, second, to++, plane);
  }
}

// Takes the lowest 21 bits, with their sign, off the accumulator.
inline int32_t take_field(int64_t& acc) {
  const int32_t field = static_cast<int32_t>(static_cast<uint32_t>(acc) << 11) >> 11;
  acc = (acc - field) >> kColumnBits;
  return field;
}

// What words j and j + 1 of the window's rows add.
inline int64_t products_3x3(const int32_t* record, const int32_t* places, const int8_t* plane, int32_t j) {
  int64_t sum = 0;
  for (int32_t ky = 0; ky < 3; ++ky) {
    int32_t words[2];
    memcpy(words, plane + places[ky] + 4 * j, sizeof words);
    sum += static_cast<int64_t>(words[0]) * record[2 * ky] + static_cast<int64_t>(words[1]) * record[2 * ky + 1];
  }
  return sum;
}

// The last output of an even number's row is one too many, and anything.
inline int32_t scaled_up(int32_t acc, int32_t kernel_sum) {
  return static_cast<int32_t>((static_cast<uint32_t>(acc) + static_cast<uint32_t>(kernel_sum)) << kDepthwiseFraction);
}

inline void sums_3x3_stride_1(const int32_t* record, const int32_t* places, const int8_t* plane, int32_t* work,
                              const int32_t* work_end) {
  int64_t acc = 0;
  for (int32_t j = 0; work != work_end; ++j) {
    acc += products_3x3(record, places, plane, j);
    *work++ = scaled_up(take_field(acc), record[6]);
    *work++ = scaled_up(take_field(acc), record[6]);
  }
}

inline void sums_3x3_stride_2(const int32_t* record, const int32_t* places, const int8_t* plane, int32_t* work,
                              const int32_t* work_end) {
  for (int32_t j = 0; work != work_end; ++j) {
    int64_t acc = products_3x3(record, places, plane, j);
    take_field(acc);
    *work++ = scaled_up(take_field(acc), record[6]);
  }
}

inline void scale_row(const int32_t* work, int32_t outputs, int8_t* y, const int32_t* scale, int32_t step) {
  for (int32_t i = 0; i < outputs; ++i, y += step) *y = scaled(work[i], kDepthwiseFraction, scale);
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
