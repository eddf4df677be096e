// The loops of isa/v7m/depthwise.h: see isa/v7m/gemm.h on their two forms.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/naked.h"
#include "isa/v7m/depthwise.h"
#include "isa/v7m/scale.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// An output row of a block of channels, as the loop of 3x3 kernels takes it.
struct BlockRow {
  const int32_t* last;    // work: where the last two sums go at a stride of 1; behind the last one at a stride of 2
  const int8_t* rows[3];  // of the window, in the first channel's plane
  int32_t next_plane;     // bytes from where a channel's loop ends in a row to the next channel's plane
  int32_t* work;
  const int32_t* sums;  // output 0 in work
  int32_t outputs;
  int8_t* y;
  int32_t pixel_out;
  int32_t channel_out;
  int32_t channels;
};

#if defined(__arm__)

// clang-format off
// Words of four channels, to planes `plane` bytes apart; r2 and r12 are the first and the fourth.
#define F8K_CHANNEL(first, second, to, bits)                                               \
  "sbfx " to ", " first ", #" bits ", #8\n sbfx r6, " second ", #" bits ", #8\n add " to ", " to ", r6, lsl #21\n"
#define F8K_CHANNELS(first, second)                                                        \
  F8K_CHANNEL(first, second, "r7", "0") F8K_CHANNEL(first, second, "r8", "8") "str r8, [r2, r3]\n" \
  F8K_CHANNEL(first, second, "r8", "16") "str r8, [r2, r3, lsl #1]\n str r7, [r2], #4\n"   \
  F8K_CHANNEL(first, second, "r8", "24") "str r8, [r12], #4\n"

// Pixels `step` bytes apart: `words` pairs, of which the first has padding before it where `left` is 1, and then one
// with padding behind it where `right` is 1. padding: four bytes of it.
[[F8K_NAKED]] inline void planar_pixels(const int8_t* /*x*/, int32_t /*step*/, int32_t* /*to*/,
                                                        int32_t /*plane*/, int32_t /*words*/, uint32_t /*padding*/,
                                                        int32_t /*left*/, int32_t /*right*/) {
  asm volatile(
      ".syntax unified\n push {r4-r9, lr}\n ldrd lr, r9, [sp, #28]\n ldr r4, [sp, #36]\n"
      "add r12, r3, r3, lsl #1\n add r12, r12, r2\n"
      "cmp lr, #0\n beq 3f\n cbz r4, 1f\n mov r4, r9\n ldr r5, [r0]\n add r0, r0, r1\n b 2f\n"
      "1: ldr r4, [r0]\n ldr r5, [r0, r1]\n add r0, r0, r1, lsl #1\n"
      "2: " F8K_CHANNELS("r4", "r5") "subs lr, lr, #1\n bgt 1b\n bmi 4f\n"
      "3: ldr r5, [sp, #40]\n cbz r5, 4f\n ldr r4, [r0]\n mov r5, r9\n b 2b\n"
      "4: pop {r4-r9, pc}\n");
}
#undef F8K_CHANNEL
#undef F8K_CHANNELS

// Accumulators of a 3x3 kernel along a row of one channel, 2^11 times, then results from them: r0-r5 weights, r6, r7
// accumulator, r10-r12 rows, lr work; then r0 work, r1 outputs, r2 y, r3 its step, r4-r6 scale. On the stack: 2^11 *
// kernel_sum, BlockRow, the record's rest, and where the loop for the stride is (its lowest bit set, as for any jump to
// Thumb code).
#define F8K_ROW(first, row, w10, w2)                                                       \
  "ldrd r8, r9, [" row "], #4\n " first " r6, r7, r8, " w10 "\n smlal r6, r7, r9, " w2 "\n"
#define F8K_ROWS(first)                                                                    \
  F8K_ROW(first, "r10", "r0", "r1") F8K_ROW("smlal", "r11", "r2", "r3") F8K_ROW("smlal", "r12", "r4", "r5")
#define F8K_BOTTOM_OF_ROW(row, w10) "ldr r8, [" row "]\n mla r6, r8, " w10 ", r6\n"
#define F8K_SUM_AND_LAST "ldrd r8, r9, [sp]\n"
// Outputs 2j - 1 and 2j at a time: the top of the accumulator stays, as the beginning of output 2j + 1. Bottom and
// middle begin with 2^20, so that they lend nothing; times 2^11 that is the sign bit, which is added once more with
// kernel_sum. Of an even number of outputs the last is the bottom alone.
#define F8K_STRIDE_1                                                                       \
  "lsl r6, r6, #11\n add r6, r6, #0x80000000\n str r6, [sp]\n mov r6, #0x100000\n mov r7, #0x200\n" \
  "1: " F8K_ROWS("smlal") F8K_SUM_AND_LAST                                           \
  "cmp lr, r9\n add r9, r8, r6, lsl #11\n lsr r6, r6, #21\n orr r6, r6, r7, lsl #11\n"     \
  "add r8, r8, r6, lsl #11\n strd r9, r8, [lr], #8\n"                                      \
  "asr r6, r7, #10\n add r6, r6, #0x100000\n mov r7, #0x200\n bne 1b\n"                    \
  "ldr r8, [sp, #32]\n lsls r8, r8, #31\n bne 4f\n"                                        \
  F8K_BOTTOM_OF_ROW("r10", "r0") F8K_BOTTOM_OF_ROW("r11", "r2") F8K_BOTTOM_OF_ROW("r12", "r4") \
  "ldr r8, [sp]\n add r8, r8, r6, lsl #11\n str r8, [lr]\n"
// One output at a time: the middle of r7:r6. The bit that LSR shifts out is the sign of the part below.
#define F8K_STRIDE_2                                                                       \
  "lsl r6, r6, #11\n str r6, [sp]\n"                                                       \
  "1: " F8K_ROWS("smull") F8K_SUM_AND_LAST                                           \
  "lsrs r6, r6, #21\n adc r6, r6, r7, lsl #11\n add r8, r8, r6, lsl #11\n str r8, [lr], #4\n cmp lr, r9\n bne 1b\n"

#define F8K_FOUR(scale) scale("r7") scale("r8") scale("r9") scale("r10")
#define F8K_SCALE(acc)                                                                     \
  "smull lr, " acc ", " acc ", r4\n add " acc ", " acc ", r5\n"                            \
  "asr " acc ", " acc ", r6\n ssat " acc ", #8, " acc "\n"
#define F8K_SCALE_BY_SIGN(acc)                                                             \
  "asr r11, " acc ", #31\n smull lr, " acc ", " acc ", r4\n add " acc ", " acc ", r5\n"    \
  "add " acc ", " acc ", r11, lsl #10\n asr " acc ", " acc ", r6\n ssat " acc ", #8, " acc "\n"

// A row of a block with a 3x3 kernel and a stride of 1 or 2; returns the end of its records.
// Aligned to words, as `adr` is relative to one.
[[F8K_NAKED, gnu::aligned(4)]] inline const int32_t* block_row_3x3(const int32_t* /*record*/,
                                                                                   const BlockRow* /*row*/,
                                                                                   int32_t /*stride*/) {
  asm volatile(
      ".syntax unified\n push {r4-r11, lr}\n sub sp, #60\n"
      "adr r3, 2f\n adr r4, 3f\n cmp r2, #1\n it ne\n movne r3, r4\n orr r3, r3, #1\n str r3, [sp, #56]\n"
      "mov lr, r0\n add r0, sp, #4\n ldm r1, {r1-r12}\n stm r0, {r1-r12}\n"
      "0: ldm lr!, {r0-r6}\n str lr, [sp, #52]\n"
      "add lr, sp, #8\n ldm lr, {r10-r12}\n ldr lr, [sp, #24]\n ldr pc, [sp, #56]\n"
      "2: " F8K_STRIDE_1 "b 4f\n"
      "3: " F8K_STRIDE_2

      "4: ldr r0, [sp, #20]\n add r10, r10, r0\n add r11, r11, r0\n add r12, r12, r0\n"
      "add lr, sp, #8\n stm lr, {r10-r12}\n ldr lr, [sp, #52]\n ldm lr!, {r4-r6}\n str lr, [sp, #52]\n"
      "add r7, sp, #28\n ldm r7, {r0-r3, r7}\n add r7, r7, r2\n str r7, [sp, #36]\n"
      "cmp r6, #0\n bmi 9f\n subs r1, r1, #4\n blt 6f\n"
      "5: ldm r0!, {r7-r10}\n" F8K_FOUR(F8K_SCALE)
      "strb r7, [r2]\n strb r8, [r2, r3]\n add r2, r2, r3, lsl #1\n"
      "strb r9, [r2]\n strb r10, [r2, r3]\n add r2, r2, r3, lsl #1\n subs r1, r1, #4\n bge 5b\n"
      "6: adds r1, r1, #4\n beq 8f\n"
      "7: ldr r7, [r0], #4\n" F8K_SCALE("r7") "strb r7, [r2]\n add r2, r2, r3\n subs r1, r1, #1\n bne 7b\n"

      "8: ldrd r0, lr, [sp, #48]\n subs r0, r0, #1\n str r0, [sp, #48]\n bne 0b\n"
      "mov r0, lr\n add sp, #60\n pop {r4-r11, pc}\n"
      "9: ldr r7, [r0], #4\n" F8K_SCALE_BY_SIGN("r7") "strb r7, [r2]\n add r2, r2, r3\n subs r1, r1, #1\n bne 9b\n"
      "b 8b\n");
}
#undef F8K_ROW
#undef F8K_ROWS
#undef F8K_BOTTOM_OF_ROW
#undef F8K_SUM_AND_LAST
#undef F8K_STRIDE_1
#undef F8K_STRIDE_2
#undef F8K_FOUR
#undef F8K_SCALE
#undef F8K_SCALE_BY_SIGN
// clang-format on

#else

// One pair of columns, four channels a word, to planes `plane` bytes apart.
inline void planar_word(uint32_t first, uint32_t second, int32_t* to, int32_t plane) {
  for (int32_t c = 0; c < kDepthwiseChannels; ++c)
    to[c * plane / 4] = static_cast<int8_t>(first >> 8 * c) + static_cast<int8_t>(second >> 8 * c) * (1 << kColumnBits);
}

inline void planar_pixels(const int8_t* x, int32_t step, int32_t* to, int32_t plane, int32_t words, uint32_t padding,
                          int32_t left, int32_t right) {
  const int32_t pixels = 2 * words - left + right;
  for (int32_t word = 0; word < words + right; ++word) {
    uint32_t two[2];
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t pixel = 2 * word - left + i;
      two[i] = padding;
      if (pixel >= 0 && pixel < pixels) memcpy(&two[i], x + pixel * step, 4);
    }
    planar_word(two[0], two[1], to++, plane);
  }
}

// Takes the lowest 21 bits, with their sign, off the accumulator.
inline int32_t take_field(int64_t& acc) {
  const int32_t field = static_cast<int32_t>(static_cast<uint32_t>(acc) << 11) >> 11;
  acc = (acc - field) >> kColumnBits;
  return field;
}

// What words j and j + 1 of the window's rows add.
inline int64_t products_3x3(const int32_t* record, const int8_t* const* rows, int32_t j) {
  int64_t sum = 0;
  for (int32_t ky = 0; ky < 3; ++ky) {
    int32_t words[2];
    memcpy(words, rows[ky] + 4 * j, sizeof words);
    sum += static_cast<int64_t>(words[0]) * record[2 * ky] + static_cast<int64_t>(words[1]) * record[2 * ky + 1];
  }
  return sum;
}

inline int32_t scaled_up(int64_t acc, int32_t kernel_sum) {
  return (static_cast<int32_t>(acc) + kernel_sum) * (1 << kDepthwiseFraction);
}

// Returns how many words of the rows it is past.
inline int32_t sums_3x3(const int32_t* record, const BlockRow& r, const int8_t* const* rows, int32_t stride) {
  int32_t* work = r.work;
  int32_t j = 0;
  if (stride == 2) {
    for (; work != r.last; ++j) {
      int64_t acc = products_3x3(record, rows, j);
      take_field(acc);
      *work++ = scaled_up(take_field(acc), record[6]);
    }
    return j;
  }
  int64_t acc = 0;
  for (; work <= r.last; ++j) {
    acc += products_3x3(record, rows, j);
    *work++ = scaled_up(take_field(acc), record[6]);
    *work++ = scaled_up(take_field(acc), record[6]);
  }
  if (r.outputs % 2 == 0) {
    acc += products_3x3(record, rows, j);
    *work = scaled_up(take_field(acc), record[6]);
  }
  return j;
}

inline const int32_t* block_row_3x3(const int32_t* record, const BlockRow* row, int32_t stride) {
  const int8_t* rows[3] = {row->rows[0], row->rows[1], row->rows[2]};
  int8_t* y = row->y;
  for (int32_t c = 0; c < row->channels; ++c, y += row->channel_out) {
    const int32_t past = sums_3x3(record, *row, rows, stride);
    for (const int8_t*& r : rows) r += 4 * past + row->next_plane;
    record += depthwise_weight_words(3, 3, 1) + kDepthwiseTail;
    for (int32_t i = 0; i < row->outputs; ++i)
      y[i * row->pixel_out] = scaled(row->sums[i], kDepthwiseFraction, record - kScaleWords);
  }
  return record;
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
