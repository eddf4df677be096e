// Puts bytes of a pixel's window into the buffer of isa/v7m/stream.h: those of an even pixel, 128 added, as the low
// bytes of words, those of its odd neighbour, which comes after it, as the high bytes. step: words from two k to the
// next two.
#pragma once

#include <stdint.h>
#include <string.h>

#include "isa/v7m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

#if defined(__arm__)

// clang-format off
// Four bytes of x to four words; a byte, in r3, to the word at r2 + `at`.
#define F8K_EVEN                                                                           \
  "ldr r3, [r0], #4\n eor r3, r3, #0x80808080\n uxtb r12, r3\n ubfx r4, r3, #8, #8\n strd r12, r4, [r2], #16\n" \
  "ubfx r12, r3, #16, #8\n lsr r4, r3, #24\n strd r12, r4, [r2], #16\n"
#define F8K_BYTE_EVEN(at) "eor r3, r3, #0x80\n str r3, [r2, #" at "]\n"
#define F8K_ODD                                                                            \
  "ldr r3, [r0], #4\n lsr r12, r3, #8\n strb r3, [r2, #3]\n strb r12, [r2, #7]\n lsr r12, r3, #16\n" \
  "lsr r4, r3, #24\n strb r12, [r2, #19]\n strb r4, [r2, #23]\n add r2, r2, #32\n"
#define F8K_BYTE_ODD(at) "strb r3, [r2, #" at " + 3]\n"

// Where `at` is odd, one byte; then sixteen at a time, four at a time, and what is left.
#define F8K_LOAD(four, byte)                                                               \
  ".syntax unified\n push {r4, lr}\n bic r12, r3, #1\n add r2, r2, r12, lsl #3\n lsls r3, r3, #31\n bne 6f\n" \
  "1: subs r1, r1, #16\n blt 3f\n"                                                         \
  "2: " four four four four "subs r1, r1, #16\n bge 2b\n"                                  \
  "3: adds r1, r1, #12\n blt 5f\n"                                                         \
  "4: " four "subs r1, r1, #4\n bge 4b\n"                                                  \
  "5: adds r1, r1, #4\n beq 7f\n ldrb r3, [r0]\n" byte("0") "subs r1, r1, #1\n beq 7f\n"   \
  "ldrb r3, [r0, #1]\n" byte("4") "subs r1, r1, #1\n beq 7f\n ldrb r3, [r0, #2]\n" byte("16") "b 7f\n" \
  "6: ldrb r3, [r0], #1\n" byte("4") "add r2, r2, #16\n subs r1, r1, #1\n b 1b\n"          \
  "7: pop {r4, pc}\n"

[[gnu::naked, gnu::noinline]] inline void load_even(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*pair*/,
                                                    int32_t /*at*/) {
  asm volatile(F8K_LOAD(F8K_EVEN, F8K_BYTE_EVEN));
}

[[gnu::naked, gnu::noinline]] inline void load_odd(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*pair*/,
                                                   int32_t /*at*/) {
  asm volatile(F8K_LOAD(F8K_ODD, F8K_BYTE_ODD));
}
// clang-format on

#undef F8K_EVEN
#undef F8K_BYTE_EVEN
#undef F8K_ODD
#undef F8K_BYTE_ODD
#undef F8K_LOAD

#else

inline void load_even(const int8_t* x, int32_t bytes, uint32_t* pair, int32_t at) {
  for (int32_t i = 0; i < bytes; ++i) pair[word_of(at + i, 0)] = (static_cast<uint32_t>(x[i]) & 0xffu) ^ 0x80u;
}

inline void load_odd(const int8_t* x, int32_t bytes, uint32_t* pair, int32_t at) {
  for (int32_t i = 0; i < bytes; ++i) reinterpret_cast<int8_t*>(&pair[word_of(at + i, 0)])[3] = x[i];
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
