// The loops of the rows in isa/v7m/stream.h: see isa/v7m/gemm.h on their two forms.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/naked.h"
#include "isa/v7m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// What the loop needs beside the stream, in the order in which it loads it.
struct RowArguments {
  const int32_t* stream_end;
  int32_t correction;  // -128 * sum of x
  const void* first;   // of x: bytes up to narrow_end, and then words from `wide` on; or `wide`, where all are words
  const int8_t* narrow_end;
  const int32_t* wide;
  const int32_t* wide_end;
  int8_t* y;
  uint32_t by_sign;         // of isa/v7m/scale.h: not 0 where some channel has it
  uint32_t skipped_narrow;  // blocks of four k that the first pass through a loop of eight such blocks leaves out
  uint32_t skipped_wide;    // and of sixteen
};

#if defined(__arm__)

// clang-format off
#define F8K_WIDEN                                                                                                \
  "ldr r7, [r0], #4\n sxtb r4, r7\n sbfx r5, r7, #8, #8\n sbfx r6, r7, #16, #8\n asrs r7, r7, #24\n"            \
  "stm r2!, {r4-r7}\n add r3, r4\n add r3, r5\n add r3, r6\n add r3, r7\n"
// The sum of the bytes from x to `end`, a multiple of four and at least four, and the bytes as words.
[[F8K_NAKED]] inline int32_t widen_fours(const int8_t* /*x*/, const int8_t* /*end*/, int32_t* /*to*/) {
  asm volatile(
      ".syntax unified\n push {r4-r7, lr}\n movs r3, #0\n"
      "subs r4, r1, r0\n lsls r4, r4, #29\n bmi 2f\n"
      "1: " F8K_WIDEN "2: " F8K_WIDEN "cmp r0, r1\n bne 1b\n"
      "mov r0, r3\n pop {r4-r7, pc}\n");
}
#undef F8K_WIDEN

#define F8K_SUM                                                                                                  \
  "ldr r3, [r0], #4\n sxtb r12, r3\n add r2, r2, r3, asr #24\n add r2, r12\n sbfx r12, r3, #8, #8\n add r2, r12\n"  \
  "sbfx r12, r3, #16, #8\n add r2, r12\n"
// The sum of the bytes from x to `end`, a multiple of four and at least four.
[[F8K_NAKED]] inline int32_t sum_of(const int8_t* /*x*/, const int8_t* /*end*/) {
  asm volatile(
      ".syntax unified\n movs r2, #0\n subs r3, r1, r0\n lsls r3, r3, #29\n bmi 2f\n"
      "1: " F8K_SUM "2: " F8K_SUM "cmp r0, r1\n bne 1b\n"
      "mov r0, r2\n bx lr\n");
}
#undef F8K_SUM
// clang-format on

#else

inline int32_t widen_fours(const int8_t* x, const int8_t* end, int32_t* to) {
  int32_t sum = 0;
  for (; x != end; ++x, ++to) {
    *to = *x;
    sum += *x;
  }
  return sum;
}

inline int32_t sum_of(const int8_t* x, const int8_t* end) {
  int32_t sum = 0;
  for (; x != end; ++x) sum += *x;
  return sum;
}

#endif

// The sum of `count` bytes, and the bytes as words.
inline int32_t widen(const int8_t* x, int32_t count, int32_t* to) {
  const int32_t fours = count & ~3;
  int32_t sum = fours > 0 ? widen_fours(x, x + fours, to) : 0;
  for (int32_t i = fours; i < count; ++i) {
    to[i] = x[i];
    sum += x[i];
  }
  return sum;
}

#if defined(__arm__)

// clang-format off
// Two products of a word of the stream with two words of x. r8: kRowMask.
#define F8K_TWO_K(low, high, w, x0, x1)                                                    \
  "and lr, r8, " w "\n smlal " low ", " high ", lr, " x0 "\n"                              \
  "and lr, r8, " w ", ror #16\n smlal " low ", " high ", lr, " x1 "\n"
// Blocks of four k, x as words and x as bytes.
#define F8K_WIDE                                                                           \
  "ldm r10!, {r0-r3}\n"                                                                    \
  "ldm r9!, {r11, r12}\n" F8K_TWO_K("r4", "r5", "r11", "r0", "r1") F8K_TWO_K("r4", "r5", "r12", "r2", "r3") \
  "ldm r9!, {r11, r12}\n" F8K_TWO_K("r6", "r7", "r11", "r0", "r1") F8K_TWO_K("r6", "r7", "r12", "r2", "r3")
#define F8K_ONE_K(ab, cd, rotation)                                                        \
  "ldrsb r0, [r10], #1\n and lr, r8, " ab rotation "\n smlal r4, r5, lr, r0\n"             \
  "and lr, r8, " cd rotation "\n smlal r6, r7, lr, r0\n"
#define F8K_NARROW                                                                         \
  "ldm r9!, {r1-r3, r11}\n"                                                                \
  F8K_ONE_K("r1", "r3", "") F8K_ONE_K("r1", "r3", ", ror #16")                             \
  F8K_ONE_K("r2", "r11", "") F8K_ONE_K("r2", "r11", ", ror #16")
#define F8K_WIDE_FOUR F8K_WIDE F8K_WIDE F8K_WIDE F8K_WIDE
#define F8K_NARROW_FOUR F8K_NARROW F8K_NARROW F8K_NARROW F8K_NARROW
#define F8K_SPLIT(low, high)                                                               \
  "lsrs lr, " low ", #24\n adc " high ", lr, " high ", lsl #8\n"                           \
  "lsl " low ", " low ", #8\n lsl " high ", " high ", #8\n"
#define F8K_SCALE(acc)                                                                     \
  "ldm r9!, {r0-r3}\n smull lr, " acc ", " acc ", r0\n add " acc ", " acc ", r1\n"         \
  "asr " acc ", " acc ", r2\n ssat " acc ", #8, " acc "\n strb " acc ", [r10, r3]\n"
#define F8K_SCALE_BY_SIGN(acc)                                                             \
  "ldm r9!, {r0-r3}\n asr r12, " acc ", #31\n and r12, r12, r2, asr #31\n"                 \
  "smull lr, " acc ", " acc ", r0\n add " acc ", " acc ", r12, lsl #7\n add " acc ", " acc ", r1\n" \
  "asr " acc ", " acc ", r2\n ssat " acc ", #8, " acc "\n strb " acc ", [r10, r3]\n"

// Every channel of the stream for one row. On the stack: stream_end, correction, 1, first, narrow_end, wide, wide_end, y;
// where results are scaled, and where the loops of narrow (or, without those, wide) and of wide x are entered: addresses
// with their lowest bit set, as for any jump to Thumb code. Aligned to words, as `adr` is relative to one.
[[F8K_NAKED, gnu::aligned(4)]] inline void row_loop(const int32_t* /*stream*/,
                                                                    const RowArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n push {r4-r11, lr}\n sub sp, #44\n mov r9, r0\n mov r8, #0xff\n orr r8, r8, #0xff000000\n"
      "ldm r1!, {r2, r3}\n mov r4, #1\n ldm r1!, {r5-r7, r10-r12}\n stm sp, {r2-r7, r10, r11}\n"
      "adr r0, 4f\n adr lr, 6f\n cmp r12, #0\n it ne\n movne r0, lr\n orr r0, r0, #1\n"
      "ldm r1, {r2, r3}\n"
      "mov r4, #84\n adr lr, 2f\n mla r2, r2, r4, lr\n orr r2, r2, #1\n"
      "mov r4, #76\n adr lr, 3f\n mla r3, r3, r4, lr\n orr r3, r3, #1\n"
      "cmp r5, r7\n it eq\n moveq r2, r3\n add lr, sp, #32\n stm lr, {r0, r2, r3}\n"
      "ldm sp, {r0, r2, r3, r10, r12}\n"
      "1: ldm r9!, {r4-r7}\n smlal r4, r5, r2, r3\n smlal r6, r7, r2, r3\n ldr pc, [sp, #36]\n"
      "2: " F8K_NARROW_FOUR F8K_NARROW_FOUR "cmp r10, r12\n bne 2b\n"
      "ldr r10, [sp, #20]\n ldr pc, [sp, #40]\n"
      "3: " F8K_WIDE_FOUR F8K_WIDE_FOUR F8K_WIDE_FOUR F8K_WIDE_FOUR
      "ldr lr, [sp, #24]\n cmp r10, lr\n bne 3b\n"
      F8K_SPLIT("r4", "r5") F8K_SPLIT("r6", "r7") "ldr r10, [sp, #28]\n ldr pc, [sp, #32]\n"
      "4: " F8K_SCALE("r4") F8K_SCALE("r5") F8K_SCALE("r6") F8K_SCALE("r7")
      "5: ldm sp, {r0, r2, r3, r10, r12}\n cmp r9, r0\n bne 1b\n add sp, #44\n pop {r4-r11, pc}\n"
      "6: " F8K_SCALE_BY_SIGN("r4") F8K_SCALE_BY_SIGN("r5") F8K_SCALE_BY_SIGN("r6") F8K_SCALE_BY_SIGN("r7") "b 5b\n");
}
// clang-format on

#undef F8K_TWO_K
#undef F8K_WIDE
#undef F8K_ONE_K
#undef F8K_NARROW
#undef F8K_WIDE_FOUR
#undef F8K_NARROW_FOUR
#undef F8K_SPLIT
#undef F8K_SCALE
#undef F8K_SCALE_BY_SIGN

#else

// w: two words of a pair of channels.
inline void add_four(int64_t& acc, const int32_t* w, const int32_t* x) {
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t word = static_cast<uint32_t>(w[i / 2]);
    const uint32_t rotated = i % 2 == 0 ? word : word >> 16 | word << 16;
    acc += static_cast<int64_t>(static_cast<int32_t>(rotated & kRowMask)) * x[i];
  }
}

inline void row_loop(const int32_t* stream, const RowArguments* arguments) {
  while (stream != arguments->stream_end) {
    int64_t acc[2];
    memcpy(acc, stream, sizeof acc);
    acc[0] += arguments->correction;
    acc[1] += arguments->correction;
    stream += kRowHeadWords;
    if (arguments->first != arguments->wide)
      for (const int8_t* x = static_cast<const int8_t*>(arguments->first); x != arguments->narrow_end;
           x += 4, stream += 4) {
        const int32_t four[4] = {x[0], x[1], x[2], x[3]};
        add_four(acc[0], stream, four);
        add_four(acc[1], stream + 2, four);
      }
    for (const int32_t* x = arguments->wide; x != arguments->wide_end; x += 4, stream += 4) {
      add_four(acc[0], stream, x);
      add_four(acc[1], stream + 2, x);
    }
    for (int32_t pair = 0; pair < 2; ++pair) {
      const int32_t low = static_cast<int32_t>(static_cast<uint32_t>(acc[pair]) << 8);
      const int32_t high = static_cast<int32_t>((acc[pair] - low / 256) >> 24) * 256;
      arguments->y[stream[3]] = scaled(low, kGemmFraction, stream);
      stream += kRowScaleWords;
      arguments->y[stream[3]] = scaled(high, kGemmFraction, stream);
      stream += kRowScaleWords;
    }
  }
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
