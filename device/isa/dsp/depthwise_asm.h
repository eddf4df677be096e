// The loops of isa/dsp/depthwise.h, in assembly: see isa/dsp/gemm.h on naked functions and on requantization.
#pragma once

#include "core/naked.h"
#include "core/planar.h"
#include "isa/dsp/depthwise.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

// `bytes`, a multiple of 16, of one int16.
[[F8K_NAKED]] inline void fill_asm(int8_t* /*to*/, int32_t /*value*/, int32_t /*bytes*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4, lr}\n pkhbt r1, r1, r1, lsl #16\n mov r3, r1\n mov r4, r1\n mov r12, r1\n"
      "1: stm r0!, {r1, r3, r4, r12}\n subs r2, #16\n bne 1b\n"
      "pop {r4, pc}\n");
}

// A planar row of four channels from pixels, of which at least one is inside, behind at most one column of padding.
// `plane`: bytes between the channels' planes. Two pixels at a time, from r4 and r6; PKH then SXTB16 make four pairs of
// them. The shape's first five words are columns, left, inside, pixel_in, zero.
[[F8K_NAKED]] inline void planar_asm(const int8_t* /*x*/, int8_t* /*to*/, const PlanarShape* /*shape*/,
                                                     int32_t /*plane*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r10, lr}\n ldm r2, {r4-r8}\n mov r2, r1\n mov r1, r7\n"
      "add r12, r3, r3, lsl #1\n add r12, r2\n add lr, r2, r3\n"  // r12: the fourth plane; lr: the end of the first
      "pkhbt r10, r8, r8, lsl #16\n uxtb r9, r8\n mov r7, #0x01010101\n mul r9, r9, r7\n"  // padding, as int16 and int8
      "subs r8, r6, #2\n cbz r5, 3f\n"
      "add r8, #1\n mov r4, r9\n ldr r6, [r0]\n add r0, r1\n b 2f\n"
      "1: ldr r4, [r0]\n ldr r6, [r0, r1]\n add r0, r0, r1, lsl #1\n"
      "2: pkhbt r5, r4, r6, lsl #16\n pkhtb r6, r6, r4, asr #16\n"
      "sxtb16 r4, r5\n sxtb16 r5, r5, ror #8\n sxtb16 r7, r6\n sxtb16 r6, r6, ror #8\n"
      "str r5, [r2, r3]\n str r7, [r2, r3, lsl #1]\n str r6, [r12], #4\n str r4, [r2], #4\n"
      "subs r8, #2\n"
      "3: bge 1b\n cmn r8, #1\n bne 4f\n"
      "ldr r4, [r0]\n mov r6, r9\n b 2b\n"  // a last pixel, beside padding
      "4: cmp r2, lr\n beq 6f\n"
      "5: str r10, [r2, r3]\n str r10, [r2, r3, lsl #1]\n str r10, [r12], #4\n str r10, [r2], #4\n cmp r2, lr\n bne "
      "5b\n"
      "6: pop {r4-r10, pc}\n");
}

// What a 3x3 kernel without gaps needs for one output row of some channels. The loops copy all behind y to their stack,
// where `end` becomes that of a channel's pairs, and `pairs` an entry.
struct DepthwiseArguments {
  const int8_t* rows[3];  // of the window, in the first channel's planes
  int8_t* y;
  int32_t pixel_out;
  int8_t* end;
  int32_t pair_bytes;  // from the first pair of results to behind the last
  int32_t pairs;       // of neighbouring results
  const int32_t* record;
  int32_t channels;
  int32_t next_plane;  // bytes from where a channel's pairs end in a row to the next channel's plane
  int32_t next_y;      // ... in the results to the next channel's
  int32_t has_single;  // whether a result follows the pairs
};

#define F8K_PAIR_OF_STRIDE_1(row, w01, w12)                                                                   \
  "ldrd r6, r7, [" row "], #4\n smlad r8, r6, " w01 ", r8\n smlabt r8, r7, " w12 ", r8\n smlatb r9, r6, " w01 \
  ", r9\n smlad r9, r7, " w12 ", r9\n"
#define F8K_PAIR_OF_STRIDE_2(row, w01, w12)                                                             \
  "ldrd r6, r7, [" row "], #8\n smlad r8, r6, " w01 ", r8\n smlabt r8, r7, " w12 ", r8\n ldr r6, [" row \
  "]\n"                                                                                                 \
  "smlad r9, r7, " w01 ", r9\n smlabt r9, r6, " w12 ", r9\n"
#define F8K_SINGLE(row, w01, w12) \
  "ldr r6, [" row "]\n ldr r7, [" row ", #4]\n smlad r8, r6, " w01 ", r8\n smlabt r8, r7, " w12 ", r8\n"
#define F8K_ROWS(TAPS) TAPS("r10", "r0", "r1") TAPS("r11", "r2", "r3") TAPS("r12", "r4", "r5")

// r6, r7: C, multiplier.
#define F8K_ROUND_TWO_BY_SIGN                                                                                          \
  "add r6, r6, r8, asr #31\n smmlar r8, r8, r7, r6\n ldr r6, [sp, #8]\n add r6, r6, r9, asr #31\n smmlar r9, r9, r7, " \
  "r6\n"
#define F8K_ROUND_ONE_BY_SIGN "add r6, r6, r8, asr #31\n smmlar r8, r8, r7, r6\n"
#define F8K_ROUND_TWO "smmlar r8, r8, r7, r6\n smmlar r9, r9, r7, r6\n"
#define F8K_ROUND_ONE "smmlar r8, r8, r7, r6\n"

#define F8K_PAIR(TAPS, ROUND)                                                                                  \
  "ldrd r8, r9, [sp]\n" F8K_ROWS(TAPS) "ldrd r6, r7, [sp, #8]\n" ROUND                                         \
                                       "ldrd r6, r7, [sp, #16]\n"                                              \
                                       "asr r8, r8, r6\n asr r9, r9, r6\n ssat r8, #8, r8\n ssat r9, #8, r9\n" \
                                       "strb r8, [lr]\n strb r9, [lr, r7]\n add lr, lr, r7, lsl #1\n"

// sp: kernel_sum twice, C, multiplier, shift, the arguments from pixel_out on. The loop over pairs is two long; the
// entry is its middle where their number is odd, or its end where there are none.
#define F8K_3X3(TAPS, ROUND_TWO, ROUND_ONE) \
  ".syntax unified\n"                                                                                             \
  "push {r4-r11, lr}\n sub sp, #56\n ldm r0!, {r10-r12, lr}\n ldm r0, {r0-r8}\n add r9, sp, #20\n stm r9, {r0-r8}\n" \
  "adr r5, 4f\n cbz r3, 0f\n adr r5, 2f\n tst r3, #1\n beq 0f\n adr r5, 3f\n"                                     \
  "0: orr r5, r5, #1\n str r5, [sp, #32]\n"                                                                       \
  "1: ldr r9, [sp, #36]\n add r8, r9, #40\n str r8, [sp, #36]\n ldm r9, {r0-r9}\n"                                \
  "strd r6, r6, [sp]\n strd r7, r8, [sp, #8]\n str r9, [sp, #16]\n"                                               \
  "ldr r6, [sp, #28]\n add r6, lr\n str r6, [sp, #24]\n ldr pc, [sp, #32]\n"                                      \
  ".balign 4\n"                                                                                                   \
  "2: " F8K_PAIR(TAPS, ROUND_TWO)                                                                                 \
  ".balign 4\n"                                                                                                   \
  "3: " F8K_PAIR(TAPS, ROUND_TWO) "ldr r6, [sp, #24]\n cmp lr, r6\n bne 2b\n"                                     \
  ".balign 4\n"                                                                                                   \
  "4: ldr r6, [sp, #52]\n cbz r6, 5f\n"                                                                           \
  "ldr r8, [sp]\n" F8K_ROWS(F8K_SINGLE) "ldrd r6, r7, [sp, #8]\n" ROUND_ONE "ldr r6, [sp, #16]\n"                 \
  "asr r8, r8, r6\n ssat r8, #8, r8\n strb r8, [lr]\n"                                                            \
  "5: ldrd r6, r7, [sp, #40]\n add r10, r7\n add r11, r7\n add r12, r7\n ldr r7, [sp, #48]\n add lr, r7\n"        \
  "subs r6, #1\n str r6, [sp, #40]\n bne 1b\n"                                                                    \
  "add sp, #56\n pop {r4-r11, pc}\n"

[[F8K_NAKED, gnu::aligned(4)]] inline void depthwise_3x3_stride_1_asm(const DepthwiseArguments*) {
  asm volatile(F8K_3X3(F8K_PAIR_OF_STRIDE_1, F8K_ROUND_TWO_BY_SIGN, F8K_ROUND_ONE_BY_SIGN));
}
[[F8K_NAKED, gnu::aligned(4)]] inline void depthwise_3x3_stride_2_asm(const DepthwiseArguments*) {
  asm volatile(F8K_3X3(F8K_PAIR_OF_STRIDE_2, F8K_ROUND_TWO_BY_SIGN, F8K_ROUND_ONE_BY_SIGN));
}
// The same for a zero point of -128.
[[F8K_NAKED, gnu::aligned(4)]] inline void depthwise_3x3_stride_1_from_least_asm(
    const DepthwiseArguments*) {
  asm volatile(F8K_3X3(F8K_PAIR_OF_STRIDE_1, F8K_ROUND_TWO, F8K_ROUND_ONE));
}
[[F8K_NAKED, gnu::aligned(4)]] inline void depthwise_3x3_stride_2_from_least_asm(
    const DepthwiseArguments*) {
  asm volatile(F8K_3X3(F8K_PAIR_OF_STRIDE_2, F8K_ROUND_TWO, F8K_ROUND_ONE));
}

#undef F8K_PAIR_OF_STRIDE_1
#undef F8K_PAIR_OF_STRIDE_2
#undef F8K_SINGLE
#undef F8K_ROWS
#undef F8K_ROUND_TWO_BY_SIGN
#undef F8K_ROUND_ONE_BY_SIGN
#undef F8K_ROUND_TWO
#undef F8K_ROUND_ONE
#undef F8K_PAIR
#undef F8K_3X3

// What any kernel needs for one output row of one channel. The loop advances it.
struct DepthwiseRowArguments {
  const int32_t* record;
  const int32_t* places;  // of the window's rows, from `window` on
  const int32_t* places_end;
  int32_t pairs;  // of weights, in a row
  int32_t step;   // bytes between their columns
  int32_t stride;
  int32_t pixel_out;
  const int8_t* window;
  int8_t* y;
  int32_t outputs;
};

// Two results at a time; a last one alone is computed twice.
[[F8K_NAKED]] inline void depthwise_row_asm(DepthwiseRowArguments*) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n ldr r8, [r0, #16]\n"
      "1: ldrd r2, r11, [r0]\n ldr r12, [r0, #28]\n ldr r9, [r0, #20]\n ldr r3, [r0, #36]\n"
      "cmp r3, #1\n it eq\n moveq r9, #0\n mov r3, #0\n mov r7, #0\n ldr lr, [r0, #8]\n"
      "2: ldr r1, [r11], #4\n add r1, r12\n ldr r10, [r0, #12]\n"
      "3: ldr r4, [r1]\n ldr r5, [r1, r9]\n add r1, r8\n ldr r6, [r2], #4\n"
      "smlad r3, r4, r6, r3\n smlad r7, r5, r6, r7\n subs r10, #1\n bne 3b\n"
      "cmp r11, lr\n bne 2b\n"
      "ldm r2, {r4-r6, r10}\n add r3, r4\n add r7, r4\n"  // kernel_sum, C, multiplier, shift
      "add r4, r5, r3, asr #31\n smmlar r3, r3, r6, r4\n asr r3, r10\n ssat r3, #8, r3\n"
      "add r4, r5, r7, asr #31\n smmlar r7, r7, r6, r4\n asr r7, r10\n ssat r7, #8, r7\n"
      "ldrd r2, r1, [r0, #32]\n strb r3, [r2]\n cmp r9, #0\n beq 4f\n"
      "ldr r4, [r0, #24]\n strb r7, [r2, r4]\n add r2, r2, r4, lsl #1\n add r12, r12, r9, lsl #1\n"
      "subs r1, #2\n str r12, [r0, #28]\n strd r2, r1, [r0, #32]\n bne 1b\n"
      "4: pop {r4-r11, pc}\n");
}

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
