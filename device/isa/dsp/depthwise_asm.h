// The loops of isa/dsp/depthwise.h, in assembly: see isa/dsp/gemm.h on naked functions and on requantization.
#pragma once

#include "isa/dsp/depthwise.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

// Two pixels at a time, four channels of each, `step` bytes apart, into planes `plane` bytes apart.
[[gnu::naked, gnu::noinline]] inline void planar_pairs_asm(const int8_t* /*x*/, int32_t /*step*/, int16_t* /*to*/,
                                                           int32_t /*plane*/, int32_t /*pairs*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r10, lr}\n ldr r12, [sp, #32]\n add lr, r3, r3, lsl #1\n add lr, lr, r2\n"  // lr: the fourth plane
      "1: ldr r4, [r0]\n ldr r6, [r0, r1]\n add r0, r0, r1, lsl #1\n"
      "sxtb16 r5, r4, ror #8\n sxtb16 r7, r6, ror #8\n sxtb16 r4, r4\n sxtb16 r6, r6\n"
      "pkhbt r8, r4, r6, lsl #16\n pkhtb r4, r6, r4, asr #16\n pkhbt r9, r5, r7, lsl #16\n pkhtb r5, r7, r5, asr #16\n"
      "str r9, [r2, r3]\n str r4, [r2, r3, lsl #1]\n str r8, [r2], #4\n str r5, [lr], #4\n"
      "subs r12, #1\n bne 1b\n"
      "pop {r4-r10, pc}\n");
}

// Sums of a 3x3 kernel without gaps along a row of one channel, two neighbours at a time. places: of the window's rows.
// Both read their weights, three pairs of (w0, w1), (w2, 0), and start from the sum that follows.
#define F8K_ENTER_3X3                                                            \
  ".syntax unified\n"                                                            \
  "push {r4-r11, lr}\n ldr r4, [sp, #36]\n sub sp, #12\n mov lr, r3\n"           \
  "ldm r1, {r10-r12}\n add r10, r10, r2\n add r11, r11, r2\n add r12, r12, r2\n" \
  "ldr r5, [r0, #24]\n strd r5, r5, [sp]\n str r4, [sp, #8]\n ldm r0, {r0-r5}\n"
#define F8K_NEXT_3X3 "strd r8, r9, [lr], #8\n ldr r6, [sp, #8]\n cmp lr, r6\n bne 1b\n add sp, #12\n pop {r4-r11, pc}\n"

// (w2, 0) becomes (w1, w2)
#define F8K_SECOND_PAIR(w01, w2) "lsl " w2 ", " w2 ", #16\n pkhtb " w2 ", " w2 ", " w01 ", asr #16\n"
#define F8K_ROW_OF_STRIDE_1(row, w01, w12)                                       \
  "ldrd r6, r7, [" row "], #4\n smlad r8, r6, " w01 ", r8\n smlabt r8, r7, " w12 \
  ", r8\n"                                                                       \
  "smlatb r9, r6, " w01 ", r9\n smlad r9, r7, " w12 ", r9\n"
[[gnu::naked, gnu::noinline]] inline void sums_3x3_stride_1_asm(const int32_t* /*record*/, const int32_t* /*places*/,
                                                                const int8_t* /*plane*/, int32_t* /*sums*/,
                                                                const int32_t* /*sums_end*/) {
  asm volatile(F8K_ENTER_3X3 F8K_SECOND_PAIR("r0", "r1") F8K_SECOND_PAIR("r2", "r3")
                   F8K_SECOND_PAIR("r4", "r5") "1: ldrd r8, r9, [sp]\n" F8K_ROW_OF_STRIDE_1("r10", "r0", "r1")
                       F8K_ROW_OF_STRIDE_1("r11", "r2", "r3") F8K_ROW_OF_STRIDE_1("r12", "r4", "r5") F8K_NEXT_3X3);
}

#define F8K_ROW_OF_STRIDE_2(row, w01, w2)                                                              \
  "ldrd r6, r7, [" row "], #8\n smlad r8, r6, " w01 ", r8\n smlabb r8, r7, " w2 ", r8\n ldr r6, [" row \
  "]\n"                                                                                                \
  "smlad r9, r7, " w01 ", r9\n smlabb r9, r6, " w2 ", r9\n"
[[gnu::naked, gnu::noinline]] inline void sums_3x3_stride_2_asm(const int32_t* /*record*/, const int32_t* /*places*/,
                                                                const int8_t* /*plane*/, int32_t* /*sums*/,
                                                                const int32_t* /*sums_end*/) {
  asm volatile(F8K_ENTER_3X3 "1: ldrd r8, r9, [sp]\n" F8K_ROW_OF_STRIDE_2("r10", "r0", "r1")
                   F8K_ROW_OF_STRIDE_2("r11", "r2", "r3") F8K_ROW_OF_STRIDE_2("r12", "r4", "r5") F8K_NEXT_3X3);
}

#undef F8K_ENTER_3X3
#undef F8K_NEXT_3X3
#undef F8K_SECOND_PAIR
#undef F8K_ROW_OF_STRIDE_1
#undef F8K_ROW_OF_STRIDE_2

// 2 * acc -> int8; r4, r5, r6: multiplier, C, shift.
#define F8K_REQUANTIZE(acc)                                                                                            \
  "add lr, r5, " acc ", asr #31\n smmlar " acc ", " acc ", r4, lr\n asr " acc ", " acc ", r6\n ssat " acc ", #8, " acc \
  "\n"

// `outputs` results, `step` bytes apart, from doubled sums. scale: multiplier, C, shift.
[[gnu::naked, gnu::noinline]] inline void requantize_row_asm(const int32_t* /*sums*/, int32_t /*outputs*/,
                                                             int8_t* /*y*/, const int32_t* /*scale*/,
                                                             int32_t /*step*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r8, lr}\n ldm r3, {r4-r6}\n ldr r3, [sp, #24]\n subs r1, #2\n blt 2f\n"
      "1: ldrd r7, r8, [r0], #8\n" F8K_REQUANTIZE("r7") F8K_REQUANTIZE("r8")
      "strb r7, [r2]\n strb r8, [r2, r3]\n add r2, r2, r3, lsl #1\n subs r1, #2\n bge 1b\n"
      "2: cmn r1, #2\n beq 3f\n"
      "ldr r7, [r0]\n" F8K_REQUANTIZE("r7") "strb r7, [r2]\n"
      "3: pop {r4-r8, pc}\n");
}

#undef F8K_REQUANTIZE

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
