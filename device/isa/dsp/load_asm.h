// What the DSP matrix kernels do before they multiply: bytes copied, and widened to int16 in the order that SXTB16
// unpacks them in: for each four k, (k0, k2), (k1, k3). Naked functions; words are loaded at any address.
#pragma once

#include <stdint.h>

#include "core/naked.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {

// The last word of four bytes or more is copied at their end, over what is there already.
[[F8K_NAKED]] inline void copy_asm(int8_t* /*to*/, const int8_t* /*from*/, int32_t /*bytes*/) {
  asm volatile(
      ".syntax unified\n"
      "subs r2, #4\n blt 2f\n"
      "1: ldr r3, [r1], #4\n str r3, [r0], #4\n subs r2, #4\n bge 1b\n"
      "ldr r3, [r1, r2]\n str r3, [r0, r2]\n bx lr\n"
      "2: adds r2, #4\n beq 4f\n"
      "3: ldrb r3, [r1], #1\n strb r3, [r0], #1\n subs r2, #1\n bne 3b\n"
      "4: bx lr\n");
}

#define F8K_WIDEN(x, even, odd) "sxtb16 " odd ", " x ", ror #8\n sxtb16 " even ", " x "\n"

// `bytes` of one window, each four of them to `step` bytes behind the four before. Of a last one to three the missing
// ones count as zeros.
[[F8K_NAKED]] inline void load_asm(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*to*/,
                                                   int32_t /*step*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r7}\n subs r1, #8\n blt 2f\n"
      "1: ldr r4, [r0], #4\n ldr r6, [r0], #4\n" F8K_WIDEN("r4", "r4", "r5") F8K_WIDEN("r6", "r6", "r7")
      "strd r4, r5, [r2]\n add r2, r3\n strd r6, r7, [r2]\n add r2, r3\n subs r1, #8\n bge 1b\n"
      "2: adds r1, #8\n beq 5f\n subs r1, #4\n blt 3f\n"
      "ldr r4, [r0], #4\n" F8K_WIDEN("r4", "r4", "r5") "strd r4, r5, [r2]\n add r2, r3\n cmp r1, #0\n beq 5f\n"
      "sub r1, #4\n"
      "3: adds r1, #4\n movs r4, #0\n"
      "4: subs r1, #1\n ldrb r5, [r0, r1]\n orr r4, r5, r4, lsl #8\n bne 4b\n"
      F8K_WIDEN("r4", "r4", "r5") "strd r4, r5, [r2]\n"
      "5: pop {r4-r7}\n bx lr\n");
}

// Two windows at once, `bytes` of each, a multiple of 4; their words alternate.
[[F8K_NAKED]] inline void load_pair_asm(const int8_t* /*x0*/, const int8_t* /*x1*/, int32_t /*bytes*/,
                                                        uint32_t* /*to*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r7}\n subs r2, #8\n blt 2f\n"
      "1: ldr r4, [r0], #4\n ldr r6, [r1], #4\n" F8K_WIDEN("r4", "r4", "r5") F8K_WIDEN("r6", "r6", "r7")
      "stm r3!, {r4-r7}\n"
      "ldr r4, [r0], #4\n ldr r6, [r1], #4\n" F8K_WIDEN("r4", "r4", "r5") F8K_WIDEN("r6", "r6", "r7")
      "stm r3!, {r4-r7}\n subs r2, #8\n bge 1b\n"
      "2: adds r2, #8\n beq 3f\n"
      "ldr r4, [r0]\n ldr r6, [r1]\n" F8K_WIDEN("r4", "r4", "r5") F8K_WIDEN("r6", "r6", "r7") "stm r3!, {r4-r7}\n"
      "3: pop {r4-r7}\n bx lr\n");
}

struct JoinedArguments {
  int32_t offset;   // of the window in each row
  int32_t segment;  // bytes of it in a row: 4 or more
  int32_t step;     // as in load_asm
};

// One window, its rows joined without gaps: the last one to three bytes of a row wait for the first of the next. The
// word that holds them is read so that it ends with the row, as nothing behind a row need exist.
// r7: bytes that wait, r8: they, r9: their bits; r10: the row, r11: bytes of it that are left, less 4.
[[F8K_NAKED]] inline void load_joined_asm(const int8_t* const* /*rows*/,
                                                          const int8_t* const* /*rows_end*/, uint32_t* /*to*/,
                                                          const JoinedArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n ldm r3, {r4-r6}\n mov r7, #0\n mov r8, #0\n mov r9, #0\n"
      "1: ldr r10, [r0], #4\n add r10, r4\n ldr r3, [r10]\n lsl r3, r9\n orr r3, r8\n"
      "rsb r11, r7, #4\n add r10, r11\n sub r11, r5, r11\n b 3f\n"
      "2: ldr r3, [r10], #4\n"
      "3: " F8K_WIDEN("r3", "r3", "r12") "strd r3, r12, [r2]\n add r2, r6\n subs r11, #4\n bge 2b\n"
      "add r7, r11, #4\n lsl r9, r7, #3\n rsb r12, r9, #32\n ldr r8, [r10, r11]\n lsr r8, r12\n"
      "cmp r0, r1\n bne 1b\n"
      "cbz r7, 4f\n" F8K_WIDEN("r8", "r8", "r12") "strd r8, r12, [r2]\n"
      "4: pop {r4-r11, pc}\n");
}

// Pieces of three bytes: the first pixel of three rows, their second, and so on. A word's fourth byte is written over
// by the next piece; the last pixel's pieces are copied as they are, as nothing behind them need exist.
#define F8K_THREES \
  "ldr r4, [r3], #3\n ldr r5, [r12], #3\n ldr r6, [r0], #3\n str r4, [r2], #3\n str r5, [r2], #3\n str r6, [r2], #3\n"
#define F8K_LAST_THREE(row) "ldrh r4, [" row "]\n ldrb r5, [" row ", #2]\n strh r4, [r2], #2\n strb r5, [r2], #1\n"
[[F8K_NAKED]] inline void spread_threes_asm(const int8_t* const* /*rows*/, int32_t /*pixels*/,
                                                            int8_t* /*to*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r6}\n ldr r3, [r0]\n ldr r12, [r0, #4]\n ldr r0, [r0, #8]\n"
      "subs r1, #1\n beq 3f\n tst r1, #1\n beq 1f\n add r1, #1\n b 2f\n"
      "1: " F8K_THREES "2: " F8K_THREES
      "subs r1, #2\n bne 1b\n"
      "3: " F8K_LAST_THREE("r3") F8K_LAST_THREE("r12") F8K_LAST_THREE("r0") "pop {r4-r6}\n bx lr\n");
}

#undef F8K_THREES
#undef F8K_LAST_THREE
#undef F8K_WIDEN

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
