// Puts bytes of pixels' windows into the buffer of isa/v7m/stream.h: those of an even pixel, 128 added, as the low
// bytes of words, those of its odd neighbour as the high bytes. pair: the pair's first word; at: of its window, the
// first byte's place; two_k: bytes from two k to the next two.
#pragma once

#include <stdint.h>

#include "core/naked.h"
#include "isa/v7m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

#if defined(__arm__)

// clang-format off
// Four bytes to four words; one byte to the word at r2 + `at`.
#define F8K_EVEN                                                                           \
  "ldr r3, [r0], #4\n eor r3, r3, #0x80808080\n uxtb r12, r3\n ubfx r5, r3, #8, #8\n strd r12, r5, [r2]\n" \
  "add r2, r2, r4\n ubfx r12, r3, #16, #8\n lsr r5, r3, #24\n strd r12, r5, [r2]\n add r2, r2, r4\n"
#define F8K_BYTE_EVEN(at) "ldrb r3, [r0], #1\n eor r3, r3, #0x80\n str r3, [r2, #" at "]\n"
#define F8K_ODD                                                                            \
  "ldr r3, [r0], #4\n lsr r12, r3, #8\n strb r3, [r2, #3]\n strb r12, [r2, #7]\n add r2, r2, r4\n" \
  "lsr r12, r3, #16\n lsr r5, r3, #24\n strb r12, [r2, #3]\n strb r5, [r2, #7]\n add r2, r2, r4\n"
#define F8K_BYTE_ODD(at) "ldrb r3, [r0], #1\n strb r3, [r2, #" at " + 3]\n"

// Of both pixels, the odd one's r5 bytes behind the even one's.
#define F8K_BOTH                                                                           \
  "ldr r6, [r0, r5]\n ldr r3, [r0], #4\n eor r3, r3, #0x80808080\n"                        \
  "uxtb r7, r3\n orr r7, r7, r6, lsl #24\n"                                                \
  "ubfx r8, r3, #8, #8\n lsr r12, r6, #8\n orr r8, r8, r12, lsl #24\n strd r7, r8, [r2]\n add r2, r2, r4\n" \
  "ubfx r7, r3, #16, #8\n lsr r12, r6, #16\n orr r7, r7, r12, lsl #24\n"                   \
  "and r6, r6, #0xff000000\n orr r8, r6, r3, lsr #24\n strd r7, r8, [r2]\n add r2, r2, r4\n"
#define F8K_BYTE_BOTH(at)                                                                  \
  "ldrb r6, [r0, r5]\n ldrb r3, [r0], #1\n eor r3, r3, #0x80\n orr r3, r3, r6, lsl #24\n str r3, [r2, #" at "]\n"

// Where `at` is odd, which the carry says, one byte; then four at a time, and what is left.
#define F8K_LOAD(four, byte)                                                               \
  "bcs 4f\n"                                                                               \
  "1: subs r1, r1, #4\n blt 3f\n"                                                          \
  "2: " four "subs r1, r1, #4\n bge 2b\n"                                                  \
  "3: adds r1, r1, #4\n beq 5f\n" byte("0") "subs r1, r1, #1\n beq 5f\n"                   \
  byte("4") "subs r1, r1, #1\n beq 5f\n add r2, r2, r4\n" byte("0") "b 5f\n"               \
  "4: " byte("4") "add r2, r2, r4\n subs r1, r1, #1\n b 1b\n"                              \
  "5: "

[[F8K_NAKED]] inline void load_even(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*pair*/,
                                                    int32_t /*at*/, int32_t /*two_k*/) {
  asm volatile(".syntax unified\n push {r4, r5}\n ldr r4, [sp, #8]\n lsrs r12, r3, #1\n mla r2, r12, r4, r2\n"
               F8K_LOAD(F8K_EVEN, F8K_BYTE_EVEN) "pop {r4, r5}\n bx lr\n");
}

[[F8K_NAKED]] inline void load_odd(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*pair*/,
                                                   int32_t /*at*/, int32_t /*two_k*/) {
  asm volatile(".syntax unified\n push {r4, r5}\n ldr r4, [sp, #8]\n lsrs r12, r3, #1\n mla r2, r12, r4, r2\n"
               F8K_LOAD(F8K_ODD, F8K_BYTE_ODD) "pop {r4, r5}\n bx lr\n");
}

// Of `pairs` pairs of pixels, `step` bytes from one pixel to the next. lr: twice the bytes, and whether `at` is odd.
[[F8K_NAKED]] inline void load_pairs(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*pair*/,
                                                     int32_t /*at*/, int32_t /*two_k*/, int32_t /*step*/,
                                                     int32_t /*pairs*/) {
  asm volatile(
      ".syntax unified\n push {r4-r11, lr}\n ldrd r4, r5, [sp, #36]\n ldr r9, [sp, #44]\n"
      "lsrs r12, r3, #1\n adc lr, r1, r1\n mov r10, r0\n mla r11, r12, r4, r2\n"
      "0: mov r0, r10\n mov r2, r11\n lsrs r1, lr, #1\n" F8K_LOAD(F8K_BOTH, F8K_BYTE_BOTH)
      "add r10, r10, r5, lsl #1\n add r11, r11, #8\n subs r9, r9, #1\n bne 0b\n"
      "pop {r4-r11, pc}\n");
}
// clang-format on

#undef F8K_EVEN
#undef F8K_BYTE_EVEN
#undef F8K_ODD
#undef F8K_BYTE_ODD
#undef F8K_BOTH
#undef F8K_BYTE_BOTH
#undef F8K_LOAD

#else

inline void load_even(const int8_t* x, int32_t bytes, uint32_t* pair, int32_t at, int32_t two_k) {
  for (int32_t i = 0; i < bytes; ++i)
    pair[word_of(at + i, 0, two_k / 8)] = (static_cast<uint32_t>(x[i]) & 0xffu) ^ 0x80u;
}

inline void load_odd(const int8_t* x, int32_t bytes, uint32_t* pair, int32_t at, int32_t two_k) {
  for (int32_t i = 0; i < bytes; ++i) reinterpret_cast<int8_t*>(&pair[word_of(at + i, 0, two_k / 8)])[3] = x[i];
}

inline void load_pairs(const int8_t* x, int32_t bytes, uint32_t* pair, int32_t at, int32_t two_k, int32_t step,
                       int32_t pairs) {
  for (; pairs > 0; --pairs, x += 2 * step, pair += 2) {
    load_even(x, bytes, pair, at, two_k);
    load_odd(x + step, bytes, pair, at, two_k);
  }
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
