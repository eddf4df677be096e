// The K loops of the DSP matrix kernels, in assembly: LDM-streamed weights, register blocking, requantization in five
// instructions. Naked functions: their registers are theirs at every optimisation level. Aligned to words, as `adr` is
// relative to one. Streams: isa/dsp/stream.h.
//
// Requantization: x = 2 * acc; SMMLAR gives C + ((acc * multiplier + 2^30) >> 31), with C less 1 for a negative acc;
// the shift then rounds to the nearest, ties away from zero, exactly as two rounding steps would, and SSAT clamps to
// int8. Where the zero point is -128, C is enough: a negative acc gives at most C >> shift = -128 either way.
#pragma once

#include <stdint.h>

#include "core/naked.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

// What the loops need. Those of two pixels keep a copy on their stack.
struct GemmArguments {
  const uint32_t* buffer;
  int32_t fours;  // k of a window, in fours
  const uint32_t* buffer_end;
  int8_t* y0;
  int8_t* y1;
  const int32_t* stream;  // its pairs
  const int8_t* x;        // windows of the first two pixels of `pairs`; null: of one, in the buffer already
  int32_t step_x;         // bytes to the next pixel's
  int32_t pairs;
  int32_t step_y;  // bytes to the results of the next two
};

struct LinearArguments {
  const int8_t* x;  // inputs that are not widened, sixteen or a multiple of it; equal to x_end: none
  const int8_t* x_end;
  const uint32_t* buffer;  // inputs that are
  const uint32_t* buffer_end;
  int8_t* y;
  int32_t eights;  // k in the buffer, in eights
};

// Loops run over eight blocks, of 8 k or of 4, and are entered at the block that leaves a whole number of rounds.
// entry = first block + bytes of a block * (-blocks mod 8), odd as addresses of code are.
#define F8K_LOOP_ENTRY(entry, blocks, block_bytes, loop, tmp)                                                 \
  "rsb " entry ", " blocks ", #0\n and " entry ", " entry ", #7\n mov " tmp ", #" block_bytes "\n mul " entry \
  ", " entry ", " tmp "\n adr " tmp ", " loop "\n add " entry ", " entry ", " tmp "\n orr " entry ", " entry ", #1\n"

#define F8K_ROUND_BY_SIGN(acc, multiplier, c) \
  "add r12, " c ", " acc ", asr #31\n smmlar " acc ", " acc ", " multiplier ", r12\n"
#define F8K_ROUND(acc, multiplier, c) "smmlar " acc ", " acc ", " multiplier ", " c "\n"
#define F8K_NARROW(acc, shift) "asr " acc ", " acc ", " shift "\n ssat " acc ", #8, " acc "\n"

// Accumulators: r8, r9: a and b of pixel 0; r10, r11: of pixel 1, which start from those of pixel 0.
#define F8K_TWO_PIXELS_FROM(from0, from1, w, a0, a1)                                                                \
  "smlad r11, " w ", " a1 ", " from1 "\n smlad r9, " w ", " a0 ", r9\n sxtb16 " w ", " w "\n smlad r10, " w ", " a1 \
  ", " from0 "\n smlad r8, " w ", " a0 ", r8\n"
#define F8K_TWO_PIXELS(w, a0, a1) F8K_TWO_PIXELS_FROM("r10", "r11", w, a0, a1)
#define F8K_FOUR_K(w0, w1) "ldm r12!, {r4-r7}\n" F8K_TWO_PIXELS(w0, "r4", "r6") F8K_TWO_PIXELS(w1, "r5", "r7")
#define F8K_FIRST_FOUR_K \
  "ldm r12!, {r4-r7}\n" F8K_TWO_PIXELS_FROM("r8", "r9", "r0", "r4", "r6") F8K_TWO_PIXELS("r1", "r5", "r7")
#define F8K_EIGHT_K "ldm lr!, {r0-r3}\n" F8K_FOUR_K("r0", "r1") F8K_FOUR_K("r2", "r3")  // 23 * 4 bytes

// sp: GemmArguments, of which `fours` becomes an entry, then one more.
#define F8K_ENTER_TWO_PIXELS "push {r4-r11, lr}\n sub sp, #44\n ldm r0, {r1-r10}\n stm sp, {r1-r10}\n"

// Two windows as in load_pair_asm, then the stream from its start.
#define F8K_LOAD_TWO_PIXELS                                                                 \
  "ldrd r0, r2, [sp, #24]\n cbz r0, 9f\n add r1, r0, r2\n add r2, r1\n str r2, [sp, #24]\n" \
  "ldr r3, [sp]\n ldr r2, [sp, #8]\n sub r2, r3\n subs r2, #32\n blt 8f\n"                  \
  "7: ldr r4, [r0], #4\n ldr r6, [r1], #4\n" F8K_WIDEN_TWO                                  \
  "stm r3!, {r4-r7}\n"                                                                      \
  "ldr r4, [r0], #4\n ldr r6, [r1], #4\n" F8K_WIDEN_TWO                                     \
  "stm r3!, {r4-r7}\n subs r2, #32\n bge 7b\n"                                              \
  "8: adds r2, #32\n beq 9f\n ldr r4, [r0]\n ldr r6, [r1]\n" F8K_WIDEN_TWO                  \
  "stm r3!, {r4-r7}\n"                                                                      \
  "9: ldr lr, [sp, #20]\n"
#define F8K_WIDEN_TWO "sxtb16 r5, r4, ror #8\n sxtb16 r4, r4\n sxtb16 r7, r6, ror #8\n sxtb16 r6, r6\n"

// r8-r11 are doubled. Goes back to 1 for the next pair of channels, to 0 for the next two pixels.
#define F8K_FINISH_TWO_PIXELS(ROUND) \
  "ldm lr!, {r0-r5}\n ldrd r6, r7, [sp, #12]\n"                                                                        \
  ROUND("r8", "r0", "r1") ROUND("r10", "r0", "r1") ROUND("r9", "r3", "r4") ROUND("r11", "r3", "r4")                    \
  F8K_NARROW("r8", "r2") F8K_NARROW("r10", "r2") F8K_NARROW("r9", "r5") F8K_NARROW("r11", "r5")                        \
  "lsr r2, r2, #9\n strb r8, [r6, r2]\n strb r10, [r7, r2]\n"                                                          \
  "lsrs r5, r5, #9\n strb r9, [r6, r5]\n strb r11, [r7, r5]\n bcc 1b\n"                                                \
  "ldrd r0, r1, [sp, #32]\n add r6, r1\n add r7, r1\n strd r6, r7, [sp, #12]\n"                                        \
  "subs r0, #1\n str r0, [sp, #32]\n bne 0b\n"                                                                         \
  "add sp, #44\n pop {r4-r11, pc}\n"

#define F8K_GEMM_TWO_PIXELS(ROUND) \
  ".syntax unified\n"                                                                                                  \
  F8K_ENTER_TWO_PIXELS                                                                                                 \
  "adr r3, 3f\n tst r2, #1\n it ne\n adrne r3, 2f\n orr r3, r3, #1\n str r3, [sp, #4]\n"                               \
  "sub r7, r2, #1\n lsr r7, r7, #1\n"                                                                                  \
  F8K_LOOP_ENTRY("r8", "r7", "92", "4f", "r9")                                                                         \
  "cbnz r7, 6f\n adr r8, 5f\n orr r8, r8, #1\n"                                                                        \
  "6: str r8, [sp, #40]\n"                                                                                             \
  "0: " F8K_LOAD_TWO_PIXELS                                                                                            \
  "1: ldm lr!, {r8, r9}\n ldm sp, {r12, pc}\n"                                                                         \
  ".balign 4\n"                                                                                                        \
  "2: ldm lr!, {r0, r1}\n" F8K_FIRST_FOUR_K "ldr pc, [sp, #40]\n"                                                      \
  ".balign 4\n"                                                                                                        \
  "3: ldm lr!, {r0-r3}\n" F8K_FIRST_FOUR_K F8K_FOUR_K("r2", "r3") "ldr pc, [sp, #40]\n"                                \
  ".balign 4\n"                                                                                                        \
  "4: " F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K F8K_EIGHT_K                \
  "ldr r0, [sp, #8]\n cmp r12, r0\n bne 4b\n"                                                                          \
  ".balign 4\n"                                                                                                        \
  "5: sub r9, r9, r8\n sub r11, r11, r10\n asr r9, r9, #7\n asr r11, r11, #7\n lsl r8, r8, #1\n lsl r10, r10, #1\n"    \
  F8K_FINISH_TWO_PIXELS(ROUND)

// Pairs of pixels by all channel pairs of the stream, both windows loaded before any result is stored. The buffer
// holds, for each four k, pixel 0's (k0, k2), (k1, k3) as int16, then pixel 1's. Windows at x are read in whole words.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_two_pixels_asm(const GemmArguments*) {
  asm volatile(F8K_GEMM_TWO_PIXELS(F8K_ROUND_BY_SIGN));
}

// The same for a zero point of -128.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_two_pixels_from_least_asm(const GemmArguments*) {
  asm volatile(F8K_GEMM_TWO_PIXELS(F8K_ROUND));
}

#define F8K_WIDENED_FOUR_K_FROM(from0, from1)                \
  "ldm r12!, {r4-r7}\n ldm lr!, {r0-r3}\n"                   \
  "smlad r10, r0, r6, " from0 "\n smlad r11, r2, r6, " from1 \
  "\n smlad r8, r0, r4, r8\n smlad r9, r2, r4, r9\n"         \
  "smlad r8, r1, r5, r8\n smlad r9, r3, r5, r9\n smlad r10, r1, r7, r10\n smlad r11, r3, r7, r11\n"
#define F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K_FROM("r10", "r11")  // 10 * 4 bytes
#define F8K_GEMM_WIDENED(ROUND) \
  ".syntax unified\n"                                                                                                  \
  F8K_ENTER_TWO_PIXELS                                                                                                 \
  "sub r7, r2, #1\n"                                                                                                   \
  F8K_LOOP_ENTRY("r8", "r7", "40", "2f", "r9")                                                                         \
  "cbnz r7, 6f\n adr r8, 3f\n orr r8, r8, #1\n"                                                                        \
  "6: str r8, [sp, #4]\n"                                                                                              \
  "0: " F8K_LOAD_TWO_PIXELS                                                                                            \
  "1: ldm lr!, {r8, r9}\n ldr r12, [sp]\n" F8K_WIDENED_FOUR_K_FROM("r8", "r9") "ldr pc, [sp, #4]\n"                    \
  ".balign 4\n"                                                                                                        \
  "2: " F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K                 \
  F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K F8K_WIDENED_FOUR_K "ldr r0, [sp, #8]\n cmp r12, r0\n bne 2b\n"                 \
  ".balign 4\n"                                                                                                        \
  "3: " F8K_FINISH_TWO_PIXELS(ROUND)

// The same by a stream of widened weights.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_widened_asm(const GemmArguments*) {
  asm volatile(F8K_GEMM_WIDENED(F8K_ROUND_BY_SIGN));
}
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_widened_from_least_asm(const GemmArguments*) {
  asm volatile(F8K_GEMM_WIDENED(F8K_ROUND));
}

#define F8K_ONE_PIXEL(w, a) "smlad r9, " w ", " a ", r9\n sxtb16 " w ", " w "\n smlad r8, " w ", " a ", r8\n"

// sp: buffer, buffer_end, y0.
#define F8K_ENTER_ONE_PIXEL                                                                     \
  ".syntax unified\n"                                                                           \
  "push {r4-r11, lr}\n sub sp, #12\n ldm r0, {r2-r7}\n mov r11, r3\n mov r3, r4\n mov r4, r5\n" \
  "stm sp, {r2-r4}\n mov lr, r7\n"                                                              \
  "1: ldm lr!, {r8, r9}\n ldrd r12, r10, [sp]\n"
#define F8K_SCALE_ONE_PIXEL \
  "ldm lr!, {r0-r5}\n ldr r7, [sp, #8]\n"                                                               \
  F8K_ROUND_BY_SIGN("r8", "r0", "r1") F8K_NARROW("r8", "r2")                                            \
  F8K_ROUND_BY_SIGN("r9", "r3", "r4") F8K_NARROW("r9", "r5")                                            \
  "lsr r2, r2, #9\n strb r8, [r7, r2]\n lsrs r5, r5, #9\n strb r9, [r7, r5]\n bcc 1b\n"                \
  "add sp, #12\n pop {r4-r11, pc}\n"

// One pixel: what a row of an odd number of pixels ends with. The buffer holds, for each four k, (k0, k2), (k1, k3) as
// int16. What follows the stream in the arguments is not read.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_one_pixel_asm(const GemmArguments*) {
  asm volatile(
      F8K_ENTER_ONE_PIXEL
      "tst r11, #1\n bne 3f\n"
      "2: ldm lr!, {r0, r1}\n ldm r12!, {r4, r5}\n" F8K_ONE_PIXEL("r0", "r4") F8K_ONE_PIXEL("r1", "r5")
      "3: ldm lr!, {r0, r1}\n ldm r12!, {r4, r5}\n" F8K_ONE_PIXEL("r0", "r4") F8K_ONE_PIXEL("r1", "r5")
      "cmp r12, r10\n bne 2b\n"
      "sub r9, r9, r8\n asr r9, r9, #7\n lsl r8, r8, #1\n" F8K_SCALE_ONE_PIXEL);
}
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_one_pixel_widened_asm(const GemmArguments*) {
  asm volatile(F8K_ENTER_ONE_PIXEL
               "2: ldm lr!, {r0-r3}\n ldm r12!, {r4, r5}\n"
               "smlad r8, r0, r4, r8\n smlad r9, r2, r4, r9\n smlad r8, r1, r5, r8\n smlad r9, r3, r5, r9\n"
               "cmp r12, r10\n bne 2b\n" F8K_SCALE_ONE_PIXEL);
}

#define F8K_FOUR_CHANNELS(w, v, a)                                         \
  "smlad r9, " w ", " a ", r9\n sxtb16 " w ", " w "\n smlad r8, " w ", " a \
  ", r8\n"                                                                 \
  "smlad r11, " v ", " a ", r11\n sxtb16 " v ", " v "\n smlad r10, " v ", " a ", r10\n"
#define F8K_FOUR_K_OF_FOUR(a0, a1) \
  "ldm lr!, {r0-r3}\n" F8K_FOUR_CHANNELS("r0", "r1", a0) F8K_FOUR_CHANNELS("r2", "r3", a1)
#define F8K_WIDENED_EIGHT "ldm r12!, {r4-r7}\n" F8K_FOUR_K_OF_FOUR("r4", "r5") F8K_FOUR_K_OF_FOUR("r6", "r7")  // 27 * 4
#define F8K_UNWIDENED_FOUR "ldr r4, [r12], #4\n sxtb16 r5, r4, ror #8\n sxtb16 r4, r4\n" F8K_FOUR_K_OF_FOUR("r4", "r5")
#define F8K_UNWIDENED_SIXTEEN F8K_UNWIDENED_FOUR F8K_UNWIDENED_FOUR F8K_UNWIDENED_FOUR F8K_UNWIDENED_FOUR
#define F8K_SCALE_TWO(ROUND, a, b)                                                   \
  "ldm lr!, {r0-r5}\n" ROUND(a, "r0", "r1") F8K_NARROW(a, "r2") ROUND(b, "r3", "r4") \
      F8K_NARROW(b, "r5") "lsr r2, r2, #9\n strb " a ", [r6, r2]\n lsrs r5, r5, #9\n strb " b ", [r6, r5]\n"

#define F8K_LINEAR(ROUND) \
  ".syntax unified\n"                                                                                                  \
  "push {r4-r11, lr}\n sub sp, #28\n mov lr, r0\n"                                                                     \
  "ldm r1, {r2-r7}\n stm sp, {r2-r6}\n" /* sp: x, x_end, buffer, buffer_end, y, entry, first entry */                 \
  F8K_LOOP_ENTRY("r8", "r7", "108", "4f", "r9")                                                                   \
  "mov r9, r8\n cmp r2, r3\n beq 0f\n adr r9, 2f\n orr r9, r9, #1\n"                                                   \
  "0: strd r8, r9, [sp, #20]\n"                                                                                        \
  "1: ldm lr!, {r8-r11}\n ldr r12, [sp, #8]\n ldr pc, [sp, #24]\n"                                                     \
  ".balign 4\n"                                                                                                        \
  "2: ldrd r12, r7, [sp]\n"                                                                                            \
  "3: " F8K_UNWIDENED_SIXTEEN F8K_UNWIDENED_SIXTEEN F8K_UNWIDENED_SIXTEEN "cmp r12, r7\n bne 3b\n"                     \
  "ldr r12, [sp, #8]\n ldr pc, [sp, #20]\n"                                                                            \
  ".balign 4\n"                                                                                                        \
  "4: " F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT    \
      F8K_WIDENED_EIGHT F8K_WIDENED_EIGHT "ldrd r0, r6, [sp, #12]\n cmp r12, r0\n bne 4b\n"                            \
  "sub r9, r9, r8\n sub r11, r11, r10\n asr r9, r9, #7\n asr r11, r11, #7\n lsl r8, r8, #1\n lsl r10, r10, #1\n"       \
  F8K_SCALE_TWO(ROUND, "r8", "r9") F8K_SCALE_TWO(ROUND, "r10", "r11") "bcc 1b\n"                 \
  "add sp, #28\n pop {r4-r11, pc}\n"

// One row of a linear, four channels at a time.
[[F8K_NAKED, gnu::aligned(4)]] inline void linear_asm(const int32_t* /*stream*/,
                                                                      const LinearArguments* /*arguments*/) {
  asm volatile(F8K_LINEAR(F8K_ROUND_BY_SIGN));
}

// The same for a zero point of -128.
[[F8K_NAKED, gnu::aligned(4)]] inline void linear_from_least_asm(const int32_t* /*stream*/,
                                                                                 const LinearArguments* /*arguments*/) {
  asm volatile(F8K_LINEAR(F8K_ROUND));
}

#undef F8K_LOOP_ENTRY
#undef F8K_ROUND_BY_SIGN
#undef F8K_ROUND
#undef F8K_NARROW
#undef F8K_TWO_PIXELS_FROM
#undef F8K_TWO_PIXELS
#undef F8K_FOUR_K
#undef F8K_FIRST_FOUR_K
#undef F8K_EIGHT_K
#undef F8K_ENTER_TWO_PIXELS
#undef F8K_LOAD_TWO_PIXELS
#undef F8K_WIDEN_TWO
#undef F8K_GEMM_TWO_PIXELS
#undef F8K_FINISH_TWO_PIXELS
#undef F8K_WIDENED_FOUR_K_FROM
#undef F8K_WIDENED_FOUR_K
#undef F8K_GEMM_WIDENED
#undef F8K_ONE_PIXEL
#undef F8K_ENTER_ONE_PIXEL
#undef F8K_SCALE_ONE_PIXEL
#undef F8K_FOUR_CHANNELS
#undef F8K_FOUR_K_OF_FOUR
#undef F8K_WIDENED_EIGHT
#undef F8K_UNWIDENED_FOUR
#undef F8K_UNWIDENED_SIXTEEN
#undef F8K_SCALE_TWO
#undef F8K_LINEAR

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
