// The loop of isa/dsp/depthwise.h, in assembly: see isa/dsp/gemm.h on naked functions and on requantization.
#pragma once

#include "isa/dsp/depthwise.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

struct DepthwiseArguments {
  const int32_t* stream;
  const int32_t* stream_end;
  const int8_t** taps;  // pointers to the pixels under the window, in pairs; moved on by step_in for each pixel
  const int8_t** taps_end;
  int8_t* y;
  int32_t step_in;   // bytes between the windows of neighbouring pixels
  int32_t step_out;  // bytes of an output pixel
  int32_t pixels;    // at least 1
};

// 2 * acc -> int8 at [r6, #place]; multiplier, C, shift come from the stream.
#define F8K_REQUANTIZE(acc, place)                                              \
  "ldm r1!, {r0, r2, r4}\n add r5, r2, " acc ", asr #31\n smmlar " acc ", " acc \
  ", r0, r5\n"                                                                  \
  "asr " acc ", " acc ", r4\n ssat " acc ", #8, " acc "\n strb " acc ", [r6, #" place "]\n"

[[gnu::naked, gnu::noinline]] inline void depthwise_asm(const DepthwiseArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n sub sp, #36\n ldm r0, {r1-r8}\n stm sp, {r1-r8}\n"
      "1: ldr r1, [sp]\n"                             // a pixel
      "2: ldr r3, [r1], #4\n ldm r1!, {r8-r11}\n ldr lr, [sp, #8]\n"  // a block of channels, from channel r3
      "3: ldrd r4, r5, [lr], #8\n ldr r4, [r4, r3]\n ldr r5, [r5, r3]\n"  // two taps
      "sxtb16 r6, r4\n sxtb16 r7, r5\n sxtb16 r4, r4, ror #8\n sxtb16 r5, r5, ror #8\n"
      "pkhbt r12, r6, r7, lsl #16\n pkhtb r6, r7, r6, asr #16\n"      // channels 0 and 2: (x[tap], x[tap + 1])
      "pkhbt r7, r4, r5, lsl #16\n pkhtb r4, r5, r4, asr #16\n"       // channels 1 and 3
      "ldm r1!, {r0, r2, r5}\n smlad r8, r12, r0, r8\n smlad r9, r7, r2, r9\n smlad r10, r6, r5, r10\n"
      "ldr r0, [r1], #4\n ldr r2, [sp, #12]\n smlad r11, r4, r0, r11\n cmp lr, r2\n bne 3b\n"
      "ldr r6, [sp, #16]\n add r6, r6, r3\n"
      F8K_REQUANTIZE("r8", "0") F8K_REQUANTIZE("r9", "1") F8K_REQUANTIZE("r10", "2") F8K_REQUANTIZE("r11", "3")
      "ldr r0, [sp, #4]\n cmp r1, r0\n bne 2b\n"
      "ldr r0, [sp, #28]\n subs r0, #1\n beq 5f\n str r0, [sp, #28]\n"  // on to the next pixel
      "ldr r0, [sp, #16]\n ldr r1, [sp, #24]\n add r0, r1\n str r0, [sp, #16]\n"
      "ldr r0, [sp, #8]\n ldr r1, [sp, #12]\n ldr r2, [sp, #20]\n"
      "4: ldrd r4, r5, [r0]\n add r4, r2\n add r5, r2\n strd r4, r5, [r0], #8\n cmp r0, r1\n bne 4b\n"
      "b 1b\n"
      "5: add sp, #36\n pop {r4-r11, pc}\n");
}

#undef F8K_REQUANTIZE

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
