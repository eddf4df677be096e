// The loops of the ARMv7-M matrix microkernels over the streams of isa/v7m/stream.h: in assembly for Arm, and in C++
// for other machines, where tests run the same streams under sanitizers. In assembly a loop is a naked function: its
// registers are its own at every optimisation level.
#pragma once

#include <stdint.h>
#include <string.h>

#include "isa/v7m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

// What a loop needs beside the stream, in the order in which it loads it.
struct GemmArguments {
  const int32_t* stream_end;
  int8_t* y[kStreamPixels];  // where the pixels' channels start; a pixel that is missing has its neighbour's
  const uint32_t* buffer;
  const uint32_t* buffer_end;
  uint32_t skipped;  // blocks of four k that the first pass through the loop, which is four blocks long, leaves out
};

#if defined(__arm__)

// clang-format off
// A block: four k of two pairs of pixels, or of one.
#define F8K_PAIR(x) "ldrsb r8, [r9], #1\n smlal r4, r5, " x ", r8\n"
#define F8K_PAIRS(x, y) F8K_PAIR(x) "smlal r6, r7, " y ", r8\n"
#define F8K_BLOCK_OF_PAIRS                                                                 \
  "ldm r10!, {r0-r3}\n" F8K_PAIRS("r0", "r2") F8K_PAIRS("r1", "r3")                        \
  "ldm r10!, {r0-r3}\n" F8K_PAIRS("r0", "r2") F8K_PAIRS("r1", "r3")
#define F8K_BLOCK_OF_ONE                                                                   \
  "ldrd r0, r1, [r10], #16\n" F8K_PAIR("r0") F8K_PAIR("r1")                                \
  "ldrd r0, r1, [r10], #16\n" F8K_PAIR("r0") F8K_PAIR("r1")
#define F8K_BLOCK_OF_PAIRS_BYTES "56"
#define F8K_BLOCK_OF_ONE_BYTES "40"

// S_high * 2^24 + S_low in high:low -> 256 * S_low in low, 256 * S_high in high. The bit that LSR shifts out is S_low's
// sign: a negative S_low has borrowed 1 of S_high.
#define F8K_SPLIT(low, high)                                                               \
  "lsrs r8, " low ", #24\n adc " high ", r8, " high ", lsl #8\n"                           \
  "lsl " low ", " low ", #8\n lsl " high ", " high ", #8\n"
#define F8K_SCALE(acc)                                                                     \
  "smull r8, " acc ", " acc ", r0\n add " acc ", " acc ", r1\n"
#define F8K_SCALE_BY_SIGN(acc)                                                             \
  "asr r3, " acc ", #31\n smull r8, " acc ", " acc ", r0\n"                                \
  "add " acc ", " acc ", r3, lsl #7\n add " acc ", " acc ", r1\n"
#define F8K_CLAMP(low, high)                                                               \
  "asr " low ", " low ", r2\n asr " high ", " high ", r2\n ssat " low ", #8, " low "\n ssat " high ", #8, " high "\n"

// Registers in the loop: r0-r3 pixels, r4-r7 accumulators, r8 a weight, r9 stream, r10 buffer, r11 its end, r12 where
// the first pass enters, lr the buffer's start. After it: r0 multiplier, r1 C, r2 shift. On the stack: stream_end, y.
#define F8K_GEMM(block, start_second, split, scale, scale_by_sign, clamp, ys, store)       \
  ".syntax unified\n push {r4-r11, lr}\n sub sp, #20\n mov r9, r0\n"                       \
  "ldm r1!, {r2-r6}\n stm sp, {r2-r6}\n ldm r1, {r2, r11, r12}\n mov lr, r2\n"             \
  "mov r3, #" block##_BYTES "\n mul r12, r12, r3\n adr r3, 2f\n add r12, r12, r3\n"        \
  "1: " start_second "ldm r9!, {r4, r5}\n mov r10, lr\n mov pc, r12\n"                     \
  "2: " block block block block "cmp r10, r11\n bne 2b\n"                                  \
  "ldm r9!, {r0-r2}\n" split "cmp r2, #0\n bmi 4f\n" scale                                 \
  "3: " clamp "ldm sp, {" ys "}\n" store "stm sp, {" ys "}\n"                              \
  "cmp r9, r0\n bne 1b\n add sp, #20\n pop {r4-r11, pc}\n"                                 \
  "4: " scale_by_sign "b 3b\n"

// Every channel of the stream for two pairs of pixels, or for one (y[0], y[1]). A later pixel is stored first, so that
// one that is missing does not last.
// Aligned to words, as `adr` is relative to one.
[[gnu::naked, gnu::noinline, gnu::aligned(4)]] inline void gemm_two_pairs(const int32_t* /*stream*/,
                                                                          const GemmArguments* /*arguments*/) {
  asm volatile(F8K_GEMM(F8K_BLOCK_OF_PAIRS, "ldm r9, {r6, r7}\n",
                        F8K_SPLIT("r4", "r5") F8K_SPLIT("r6", "r7"),
                        F8K_SCALE("r4") F8K_SCALE("r5") F8K_SCALE("r6") F8K_SCALE("r7"),
                        F8K_SCALE_BY_SIGN("r4") F8K_SCALE_BY_SIGN("r5") F8K_SCALE_BY_SIGN("r6") F8K_SCALE_BY_SIGN("r7"),
                        F8K_CLAMP("r4", "r5") F8K_CLAMP("r6", "r7"), "r0-r3, r8",
                        "strb r7, [r8], #1\n strb r6, [r3], #1\n strb r5, [r2], #1\n strb r4, [r1], #1\n"));
}

[[gnu::naked, gnu::noinline, gnu::aligned(4)]] inline void gemm_one_pair(const int32_t* /*stream*/,
                                                                         const GemmArguments* /*arguments*/) {
  asm volatile(F8K_GEMM(F8K_BLOCK_OF_ONE, "", F8K_SPLIT("r4", "r5"),
                        F8K_SCALE("r4") F8K_SCALE("r5"),
                        F8K_SCALE_BY_SIGN("r4") F8K_SCALE_BY_SIGN("r5"),
                        F8K_CLAMP("r4", "r5"), "r0-r2", "strb r5, [r2], #1\n strb r4, [r1], #1\n"));
}
// clang-format on

#undef F8K_PAIR
#undef F8K_PAIRS
#undef F8K_BLOCK_OF_PAIRS
#undef F8K_BLOCK_OF_ONE
#undef F8K_BLOCK_OF_PAIRS_BYTES
#undef F8K_BLOCK_OF_ONE_BYTES
#undef F8K_SPLIT
#undef F8K_SCALE
#undef F8K_SCALE_BY_SIGN
#undef F8K_CLAMP
#undef F8K_GEMM

#else

// Two pixels' results from S_high * 2^24 + S_low; y[1] may be y[0].
inline void store_pair(int64_t acc, const int32_t* scale, int32_t channel, int8_t* const* y) {
  const int32_t low = static_cast<int32_t>(static_cast<uint32_t>(acc) << 8);
  const int32_t high = static_cast<int32_t>((acc - low / 256) >> 24) * 256;
  y[1][channel] = scaled(high, kGemmFraction, scale);
  y[0][channel] = scaled(low, kGemmFraction, scale);
}

inline void gemm(const int32_t* stream, const GemmArguments* arguments, int32_t pairs) {
  const int32_t ins = static_cast<int32_t>(arguments->buffer_end - arguments->buffer) / 2;
  for (int32_t channel = 0; stream != arguments->stream_end; ++channel, stream += channel_words(ins)) {
    const int8_t* weights = reinterpret_cast<const int8_t*>(stream + kHeadWords);
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int64_t acc;
      memcpy(&acc, stream, sizeof acc);
      for (int32_t k = 0; k < ins; ++k)
        acc += static_cast<int64_t>(static_cast<int32_t>(arguments->buffer[word_of(k, pair)])) * weights[k];
      store_pair(acc, stream + channel_words(ins) - kScaleWords, channel, arguments->y + 2 * pair);
    }
  }
}

inline void gemm_two_pairs(const int32_t* stream, const GemmArguments* arguments) { gemm(stream, arguments, 2); }
inline void gemm_one_pair(const int32_t* stream, const GemmArguments* arguments) { gemm(stream, arguments, 1); }

#endif

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
