// The loops of the ARMv7-M matrix microkernels over the streams of isa/v7m/stream.h: in assembly for Arm, and in C++
// for other machines, where tests run the same streams under sanitizers. In assembly a loop is a naked function: its
// registers are its own at every optimisation level.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/naked.h"
#include "isa/v7m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// What a loop needs beside the stream and the results' places.
struct GemmArguments {
  const uint32_t* buffer;
  const uint32_t* buffer_end;
  uint32_t skipped;  // blocks of four k that the first pass through the loop leaves out
  const int32_t* stream_end;
};

// Blocks of four k in a pass through the loop. Three pairs have no register for its end, and ask for it less often.
constexpr int32_t pass_blocks(int32_t pairs) { return pairs == 3 ? 8 : 4; }

#if defined(__arm__)

// clang-format off
// A block: four k of one, two or three pairs of pixels. Three leave only two registers for weights, and four for pixels.
#define F8K_FIRST(x, w) "smlal r6, r7, " x ", " w "\n"
#define F8K_SECOND(x, w) "smlal r8, r9, " x ", " w "\n"
#define F8K_THIRD(x, w) "smlal r10, r11, " x ", " w "\n"
#define F8K_WEIGHT(w) "ldrsb " w ", [r12], #1\n"
#define F8K_TWO_WEIGHTS F8K_WEIGHT("r4") F8K_WEIGHT("r5")
#define F8K_BLOCK_OF_ONE                                                                   \
  "ldm lr!, {r0-r3}\n" F8K_WEIGHT("r4") F8K_FIRST("r0", "r4") F8K_WEIGHT("r4") F8K_FIRST("r1", "r4") \
  F8K_WEIGHT("r4") F8K_FIRST("r2", "r4") F8K_WEIGHT("r4") F8K_FIRST("r3", "r4")
#define F8K_TWO_K_OF_TWO                                                                   \
  "ldm lr!, {r0-r3}\n" F8K_WEIGHT("r4") F8K_FIRST("r0", "r4") F8K_SECOND("r2", "r4")       \
  F8K_WEIGHT("r4") F8K_FIRST("r1", "r4") F8K_SECOND("r3", "r4")
#define F8K_BLOCK_OF_TWO F8K_TWO_K_OF_TWO F8K_TWO_K_OF_TWO
#define F8K_BLOCK_OF_THREE                                                                 \
  "ldm lr!, {r0-r3}\n" F8K_TWO_WEIGHTS                                                     \
  F8K_FIRST("r0", "r4") F8K_FIRST("r1", "r5") F8K_SECOND("r2", "r4") F8K_SECOND("r3", "r5") \
  "ldm lr!, {r0-r3}\n" F8K_THIRD("r0", "r4") F8K_THIRD("r1", "r5") F8K_TWO_WEIGHTS         \
  F8K_FIRST("r2", "r4") F8K_FIRST("r3", "r5")                                              \
  "ldm lr!, {r0-r3}\n" F8K_SECOND("r0", "r4") F8K_SECOND("r1", "r5") F8K_THIRD("r2", "r4") F8K_THIRD("r3", "r5")
#define F8K_BLOCK_OF_ONE_BYTES "36"
#define F8K_BLOCK_OF_TWO_BYTES "56"
#define F8K_BLOCK_OF_THREE_BYTES "76"

// S_high * 2^24 + S_low in high:low -> 256 * S_low in low, 256 * S_high in high. The bit that LSR shifts out is S_low's
// sign: a negative S_low has borrowed 1 of S_high.
#define F8K_SPLIT(low, high)                                                               \
  "lsrs r3, " low ", #24\n adc " high ", r3, " high ", lsl #8\n"                           \
  "lsl " low ", " low ", #8\n lsl " high ", " high ", #8\n"
#define F8K_SCALE(acc)                                                                     \
  "smull r3, " acc ", " acc ", r0\n add " acc ", " acc ", r1\n"
#define F8K_SCALE_BY_SIGN(acc)                                                             \
  "asr r4, " acc ", #31\n smull r3, " acc ", " acc ", r0\n"                                \
  "add " acc ", " acc ", r4, lsl #7\n add " acc ", " acc ", r1\n"
#define F8K_CLAMP(acc) "asr " acc ", " acc ", r2\n ssat " acc ", #8, " acc "\n"

#define F8K_OF_ONE(of_acc) of_acc("r6") of_acc("r7")
#define F8K_OF_TWO(of_acc) F8K_OF_ONE(of_acc) of_acc("r8") of_acc("r9")
#define F8K_OF_THREE(of_acc) F8K_OF_TWO(of_acc) of_acc("r10") of_acc("r11")

#define F8K_BLOCKS_4(block) block block block block
#define F8K_BLOCKS_8(block) F8K_BLOCKS_4(block) F8K_BLOCKS_4(block)

// Where the first pass enters, where the buffer starts and ends: in registers, or with three pairs on the stack.
#define F8K_IN_REGISTERS "mov r11, r2\n mov r10, r3\n mov r5, r4\n"
#define F8K_ENTER "mov lr, r11\n mov pc, r5\n"
#define F8K_AT_END "cmp lr, r10\n"
#define F8K_ON_STACK "orr r4, r4, #1\n add r5, sp, #28\n stm r5, {r2-r4}\n"
#define F8K_ENTER_BY_STACK "ldr lr, [sp, #28]\n ldr pc, [sp, #36]\n"
#define F8K_AT_END_BY_STACK "ldr r0, [sp, #32]\n cmp lr, r0\n"

// Registers in the loop: r0-r3 pixels, r4, r5 weights, r6-r11 accumulators, r12 stream, lr buffer. After it: r0
// multiplier, r1 C, r2 shift. On the stack: stream_end, y, and room for three words.
#define F8K_GEMM(keep, start, enter, blocks, block, at_end, split, pixels, ys, store)      \
  ".syntax unified\n push {r4-r11, lr}\n sub sp, #40\n mov r12, r0\n"                      \
  "ldm r2, {r3-r8}\n ldr r2, [r1, #12]\n stm sp, {r2-r8}\n ldm r1, {r2-r4}\n"              \
  "mov r5, #" block##_BYTES "\n adr r6, 2f\n mla r4, r4, r5, r6\n" keep                    \
  "1: " start "ldm r12!, {r6, r7}\n" enter                                                 \
  "2: " blocks(block) at_end "bne 2b\n"                                                    \
  "ldm r12!, {r0-r2}\n" split "cmp r2, #0\n bmi 4f\n" pixels(F8K_SCALE)                    \
  "3: " pixels(F8K_CLAMP) "ldm sp, {" ys "}\n" store "stm sp, {" ys "}\n"                  \
  "cmp r12, r0\n bne 1b\n add sp, #40\n pop {r4-r11, pc}\n"                                \
  "4: " pixels(F8K_SCALE_BY_SIGN) "b 3b\n"

// Every channel of the stream for one, two or three pairs of pixels. y: where the pixels' channels start; of a pixel
// that is missing, where its neighbour's do, as a later pixel is stored first. Six are read, whatever they are.
// Aligned to words, as `adr` is relative to one.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_one_pair(const int32_t* /*stream*/,
                                                                         const GemmArguments* /*arguments*/,
                                                                         int8_t* const* /*y*/) {
  asm volatile(F8K_GEMM(F8K_IN_REGISTERS, "", F8K_ENTER, F8K_BLOCKS_4, F8K_BLOCK_OF_ONE, F8K_AT_END,
                        F8K_SPLIT("r6", "r7"), F8K_OF_ONE, "r0-r2", "strb r7, [r2], #1\n strb r6, [r1], #1\n"));
}

[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_two_pairs(const int32_t* /*stream*/,
                                                                          const GemmArguments* /*arguments*/,
                                                                          int8_t* const* /*y*/) {
  asm volatile(F8K_GEMM(F8K_IN_REGISTERS, "ldm r12, {r8, r9}\n", F8K_ENTER, F8K_BLOCKS_4, F8K_BLOCK_OF_TWO,
                        F8K_AT_END, F8K_SPLIT("r6", "r7") F8K_SPLIT("r8", "r9"), F8K_OF_TWO, "r0-r4",
                        "strb r9, [r4], #1\n strb r8, [r3], #1\n strb r7, [r2], #1\n strb r6, [r1], #1\n"));
}

[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_three_pairs(const int32_t* /*stream*/,
                                                                            const GemmArguments* /*arguments*/,
                                                                            int8_t* const* /*y*/) {
  asm volatile(F8K_GEMM(F8K_ON_STACK, "ldm r12, {r8, r9}\n ldm r12, {r10, r11}\n", F8K_ENTER_BY_STACK,
                        F8K_BLOCKS_8, F8K_BLOCK_OF_THREE, F8K_AT_END_BY_STACK,
                        F8K_SPLIT("r6", "r7") F8K_SPLIT("r8", "r9") F8K_SPLIT("r10", "r11"), F8K_OF_THREE,
                        "r0-r5, lr",
                        "strb r11, [lr], #1\n strb r10, [r5], #1\n strb r9, [r4], #1\n"
                        "strb r8, [r3], #1\n strb r7, [r2], #1\n strb r6, [r1], #1\n"));
}
// clang-format on

#undef F8K_FIRST
#undef F8K_SECOND
#undef F8K_THIRD
#undef F8K_WEIGHT
#undef F8K_TWO_WEIGHTS
#undef F8K_BLOCK_OF_ONE
#undef F8K_TWO_K_OF_TWO
#undef F8K_BLOCK_OF_TWO
#undef F8K_BLOCK_OF_THREE
#undef F8K_BLOCK_OF_ONE_BYTES
#undef F8K_BLOCK_OF_TWO_BYTES
#undef F8K_BLOCK_OF_THREE_BYTES
#undef F8K_SPLIT
#undef F8K_SCALE
#undef F8K_SCALE_BY_SIGN
#undef F8K_CLAMP
#undef F8K_OF_ONE
#undef F8K_OF_TWO
#undef F8K_OF_THREE
#undef F8K_BLOCKS_4
#undef F8K_BLOCKS_8
#undef F8K_IN_REGISTERS
#undef F8K_ENTER
#undef F8K_AT_END
#undef F8K_ON_STACK
#undef F8K_ENTER_BY_STACK
#undef F8K_AT_END_BY_STACK
#undef F8K_GEMM

#else

// Two pixels' results from S_high * 2^24 + S_low; y[1] may be y[0].
inline void store_pair(int64_t acc, const int32_t* scale, int32_t channel, int8_t* const* y) {
  const int32_t low = static_cast<int32_t>(static_cast<uint32_t>(acc) << 8);
  const int32_t high = static_cast<int32_t>((acc - low / 256) >> 24) * 256;
  y[1][channel] = scaled(high, kGemmFraction, scale);
  y[0][channel] = scaled(low, kGemmFraction, scale);
}

inline void gemm(const int32_t* stream, const GemmArguments* arguments, int8_t* const* y, int32_t pairs) {
  const int32_t ins = static_cast<int32_t>(arguments->buffer_end - arguments->buffer) / pairs;
  for (int32_t channel = 0; stream != arguments->stream_end; ++channel, stream += channel_words(ins)) {
    const int8_t* weights = reinterpret_cast<const int8_t*>(stream + kHeadWords);
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int64_t acc;
      memcpy(&acc, stream, sizeof acc);
      for (int32_t k = 0; k < ins; ++k)
        acc += static_cast<int64_t>(static_cast<int32_t>(arguments->buffer[word_of(k, pair, pairs)])) * weights[k];
      store_pair(acc, stream + channel_words(ins) - kScaleWords, channel, y + 2 * pair);
    }
  }
}

inline void gemm_one_pair(const int32_t* stream, const GemmArguments* arguments, int8_t* const* y) {
  gemm(stream, arguments, y, 1);
}
inline void gemm_two_pairs(const int32_t* stream, const GemmArguments* arguments, int8_t* const* y) {
  gemm(stream, arguments, y, 2);
}
inline void gemm_three_pairs(const int32_t* stream, const GemmArguments* arguments, int8_t* const* y) {
  gemm(stream, arguments, y, 3);
}

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
