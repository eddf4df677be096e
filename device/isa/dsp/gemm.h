// The K loops of the DSP matrix kernels, in assembly: LDM-streamed weights, register blocking, requantization in five
// instructions. Naked functions: their registers are theirs at every optimisation level. Streams: isa/dsp/stream.h.
//
// Requantization: x = 2 * acc; SMMLAR gives C + ((acc * multiplier + 2^30) >> 31), with C less 1 for a negative acc;
// the shift then rounds to the nearest, ties away from zero, exactly as two rounding steps would, and SSAT clamps to
// int8.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

// What the loops need beyond their four register arguments, and where they keep what has no register.
struct GemmArguments {
  const int32_t* stream_end;
  const uint32_t* buffer;
  const uint32_t* buffer_end;  // of the pixels' window: a whole number of 8-k blocks
  int8_t* y0;
  int8_t* y1;
  uint32_t odd_blocks;  // 1 when the number of 8-k blocks is odd: the loop, two blocks long, starts in its middle
};

#define F8K_TWO_PIXELS(w, a0, a1)                                                  \
  "smlad r9, " w ", " a0 ", r9\n smlad r11, " w ", " a1 ", r11\n sxtb16 " w ", " w \
  "\n"                                                                             \
  "smlad r8, " w ", " a0 ", r8\n smlad r10, " w ", " a1 ", r10\n"
#define F8K_BLOCK_OF_TWO_PIXELS                                                             \
  "ldm lr!, {r0-r3}\n ldm r12!, {r4-r7}\n" F8K_TWO_PIXELS("r0", "r4", "r6") F8K_TWO_PIXELS( \
      "r1", "r5", "r7") "ldm r12!, {r4-r7}\n" F8K_TWO_PIXELS("r2", "r4", "r6") F8K_TWO_PIXELS("r3", "r5", "r7")
#define F8K_REQUANTIZE(acc, y)                                                         \
  "add r6, r1, " acc ", asr #31\n smmlar " acc ", " acc ", r0, r6\n asr " acc ", " acc \
  ", r2\n"                                                                             \
  "ssat " acc ", #8, " acc "\n strb " acc ", [" y ", r3]\n"

// Two pixels by all channel pairs of the stream. arguments->buffer: for each four k, pixel 0's (k0, k2), (k1, k3) as
// int16, then pixel 1's. y0, y1: where the pixels' channels start.
[[gnu::naked, gnu::noinline]] inline void gemm_two_pixels_asm(const int32_t* /*stream*/,
                                                              const GemmArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n sub sp, #28\n mov lr, r0\n"
      "ldm r1, {r2-r7}\n stm sp, {r2-r7}\n"          // sp: stream_end, buffer, buffer_end, y0, y1, odd_blocks
      "1: ldm lr!, {r8, r9}\n ldr r12, [sp, #4]\n ldr r0, [sp, #20]\n mov r10, r8\n mov r11, r9\n"
      "cmp r0, #0\n bne 3f\n"
      "2: " F8K_BLOCK_OF_TWO_PIXELS
      "3: " F8K_BLOCK_OF_TWO_PIXELS
      "ldr r0, [sp, #8]\n cmp r12, r0\n bne 2b\n"
      "sub r9, r9, r8\n sub r11, r11, r10\n asr r9, r9, #7\n asr r11, r11, #7\n lsl r8, r8, #1\n lsl r10, r10, #1\n"
      "ldm lr!, {r0-r3}\n ldrd r4, r5, [sp, #12]\n" F8K_REQUANTIZE("r8", "r4") F8K_REQUANTIZE("r10", "r5")
      "ldm lr!, {r0-r3}\n" F8K_REQUANTIZE("r9", "r4") F8K_REQUANTIZE("r11", "r5")
      "ldr r0, [sp]\n cmp lr, r0\n bne 1b\n"
      "add sp, #28\n pop {r4-r11, pc}\n");
}

#define F8K_ONE_PIXEL(w, a) "smlad r9, " w ", " a ", r9\n sxtb16 " w ", " w "\n smlad r8, " w ", " a ", r8\n"
#define F8K_BLOCK_OF_ONE_PIXEL                                                                 \
  "ldm lr!, {r0-r3}\n ldm r12!, {r4-r7}\n" F8K_ONE_PIXEL("r0", "r4") F8K_ONE_PIXEL("r1", "r5") \
      F8K_ONE_PIXEL("r2", "r6") F8K_ONE_PIXEL("r3", "r7")

// One pixel. arguments->buffer: for each four k, (k0, k2), (k1, k3) as int16. y1 is not used.
[[gnu::naked, gnu::noinline]] inline void gemm_one_pixel_asm(const int32_t* /*stream*/,
                                                             const GemmArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n sub sp, #28\n mov lr, r0\n"
      "ldm r1, {r2-r7}\n stm sp, {r2-r7}\n"
      "1: ldm lr!, {r8, r9}\n ldr r12, [sp, #4]\n ldr r0, [sp, #20]\n"
      "cmp r0, #0\n bne 3f\n"
      "2: " F8K_BLOCK_OF_ONE_PIXEL
      "3: " F8K_BLOCK_OF_ONE_PIXEL
      "ldr r0, [sp, #8]\n cmp r12, r0\n bne 2b\n"
      "sub r9, r9, r8\n asr r9, r9, #7\n lsl r8, r8, #1\n"
      "ldm lr!, {r0-r3}\n ldr r4, [sp, #12]\n" F8K_REQUANTIZE("r8", "r4")
      "ldm lr!, {r0-r3}\n" F8K_REQUANTIZE("r9", "r4")
      "ldr r0, [sp]\n cmp lr, r0\n bne 1b\n"
      "add sp, #28\n pop {r4-r11, pc}\n");
}

#undef F8K_TWO_PIXELS
#undef F8K_BLOCK_OF_TWO_PIXELS
#undef F8K_REQUANTIZE
#undef F8K_ONE_PIXEL
#undef F8K_BLOCK_OF_ONE_PIXEL

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
