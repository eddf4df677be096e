// The K loops of the ARMv6-M matrix kernels (isa/v6m/stream.h has the streams), in assembly and for the host as in
// isa/v6m/requantize.h.
#pragma once

#include "core/naked.h"
#include "isa/v6m/requantize.h"

namespace f8k {
inline namespace v0_1 {
namespace v6m {

struct GemmArguments {
  const int32_t* stream_end;
  const int32_t* buffer;
  const int32_t* buffer_end;  // of the pixels' windows: a whole number of 4-k blocks
  int8_t* y;
  int32_t step;        // bytes from a pixel's results to the next one's
  int32_t sums_bytes;  // 4 for each pixel
};

struct RowArguments {
  const int8_t* x_end;
  int32_t first;  // x from x_end: -ins, not 0
  int8_t* y;
  int8_t* y_end;
  uint32_t offset;        // what 128 in each byte of W adds to RowSums::all and swapped,
  uint32_t upper_offset;  // and to RowSums::upper
};

#if defined(__thumb__)

// `bytes` of a window, at least one, to the buffer: each value to the word of an even pixel.
#define F8K_EVEN(i) "ldrsb r4, [r0, r5]\n adds r0, #1\n str r4, [r2, #8 * " #i "]\n"
// An odd pixel's: added to the upper half of that word, which holds the sign of the lower.
#define F8K_ODD(i) \
  "ldrsb r4, [r0, r5]\n adds r0, #1\n ldrh r6, [r2, #8 * " #i " + 2]\n adds r4, r6\n strh r4, [r2, #8 * " #i " + 2]\n"
// Both, `step` bytes apart.
#define F8K_BOTH(i)                                                                                                \
  "ldrsb r4, [r0, r5]\n ldrsb r6, [r0, r3]\n adds r0, #1\n lsls r6, r6, #16\n adds r4, r6\n str r4, [r2, #8 * " #i \
  "]"                                                                                                              \
  "\n"
#define F8K_LOAD(value) \
  ".syntax unified\n push {r4-r6, lr}\n movs r5, #0\n subs r1, #4\n blt 2f\n"            \
  "1: " value(0) value(1) value(2) value(3) "adds r2, #32\n subs r1, #4\n bge 1b\n"       \
  "2: adds r1, #4\n beq 4f\n"                                                            \
  "3: " value(0) "adds r2, #8\n subs r1, #1\n bne 3b\n"                                   \
  "4: pop {r4-r6, pc}\n"
[[F8K_NAKED]] inline void load_even_asm(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*to*/) {
  asm volatile(F8K_LOAD(F8K_EVEN));
}
[[F8K_NAKED]] inline void load_odd_asm(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*to*/) {
  asm volatile(F8K_LOAD(F8K_ODD));
}
[[F8K_NAKED]] inline void load_pair_asm(const int8_t* /*x*/, int32_t /*bytes*/, uint32_t* /*to*/,
                                                        int32_t /*step*/) {
  asm volatile(F8K_LOAD(F8K_BOTH));
}

// Adds the packed sums r2 (pixels 0, 1) and r3 (pixels 2, 3) to r8, r9 and r10, r11: r8 takes all of r2, r9 its upper
// half alone. Each half is rounded by 2^15 (in r12), so that a negative lower half lends nothing to the upper.
#define F8K_FLUSH                                                                                             \
  "add r2, r12\n add r8, r2\n asrs r2, r2, #16\n add r9, r2\n add r3, r12\n add r10, r3\n asrs r3, r3, #16\n" \
  "add r11, r3\n"
// Four k: weights at r0, pixels at r7.
#define F8K_BLOCK                                                                                                \
  "ldm r0!, {r1}\n ldm r7!, {r2-r5}\n sxtb r6, r1\n muls r2, r6\n muls r3, r6\n asrs r1, r1, #8\n sxtb r6, r1\n" \
  "muls r4, r6\n muls r5, r6\n asrs r1, r1, #8\n adds r2, r4\n adds r3, r5\n"                                    \
  "ldm r7!, {r4, r5}\n sxtb r6, r1\n muls r4, r6\n muls r5, r6\n asrs r1, r1, #8\n adds r2, r4\n adds r3, r5\n"  \
  "ldm r7!, {r4, r5}\n muls r4, r1\n muls r5, r1\n adds r2, r4\n adds r3, r5\n" F8K_FLUSH

// The same for pixels 0 and 1 alone.
#define F8K_PAIR_BLOCK                                                                                              \
  "ldm r0!, {r1}\n ldr r2, [r7]\n ldr r4, [r7, #8]\n sxtb r6, r1\n muls r2, r6\n asrs r1, r1, #8\n sxtb r6, r1\n"   \
  "muls r4, r6\n asrs r1, r1, #8\n adds r2, r4\n ldr r4, [r7, #16]\n sxtb r6, r1\n muls r4, r6\n asrs r1, r1, #8\n" \
  "adds r2, r4\n ldr r4, [r7, #24]\n muls r4, r1\n adds r2, r4\n adds r7, #32\n add r2, r12\n add r8, r2\n"         \
  "asrs r2, r2, #16\n add r9, r2\n"

// 1 to 4 pixels by all channels of the stream. sp: the arguments, at 24 the place in the stream, at 28 four sums, at 44
// where to enter the loop: at 3, in its middle if the blocks are odd; at 4 for one or two pixels.
[[F8K_NAKED]] inline void gemm_asm(const int32_t* /*stream*/, const GemmArguments* /*arguments*/) {
  asm volatile(
      F8K_V6M_ENTER
      "sub sp, #48\n ldm r1!, {r2-r7}\n mov r1, sp\n stm r1!, {r2-r7}\n"
      "adr r1, 4f\n cmp r7, #8\n bls 8f\n"
      "adr r1, 3f\n subs r4, r4, r3\n movs r3, #32\n ands r4, r3\n lsls r4, r4, #1\n adds r1, r1, r4\n"
      "8: str r1, [sp, #44]\n b 1f\n"
      "6: lsrs r4, r2, #17\n subs r1, r1, r4\n mov r8, r1\n mov r10, r1\n"  // weights that stand alone
      "7: ldm r0!, {r1}\n sxtb r6, r1\n lsrs r1, r1, #8\n adds r1, r1, r7\n ldm r1!, {r2, r3}\n muls r2, r6\n"
      "muls r3, r6\n" F8K_FLUSH
      "subs r4, #1\n bne 7b\n b 2f\n"
      "1: ldm r0!, {r1, r2}\n mov r9, r2\n mov r11, r2\n movs r3, #1\n lsls r3, r3, #15\n mov r12, r3\n"  // a channel
      "ldr r7, [sp, #4]\n subs r2, r1, r2\n lsls r2, r2, #17\n bne 6b\n mov r8, r1\n mov r10, r1\n"
      "2: ldr r1, [sp, #8]\n mov lr, r1\n ldr r1, [sp, #44]\n mov pc, r1\n"
      ".balign 4\n"
      "4: " F8K_PAIR_BLOCK "cmp r7, lr\n bne 4b\n b 9f\n"
      ".balign 4\n"
      "3: " F8K_BLOCK F8K_BLOCK "cmp r7, lr\n bne 3b\n"
      "9: mov r2, r9\n lsls r4, r2, #16\n mov r1, r8\n subs r1, r1, r4\n"
      "mov r4, r11\n lsls r5, r4, #16\n mov r3, r10\n subs r3, r3, r5\n add r5, sp, #28\n stm r5!, {r1-r4}\n"
      "mov r2, r0\n add r0, sp, #28\n ldr r1, [sp, #20]\n"
      "adds r1, r0\n mov lr, r1\n ldr r5, [sp, #12]\n adds r1, r5, #1\n str r1, [sp, #12]\n ldr r4, [sp, #16]\n" 
      F8K_V6M_REQUANTIZE("24")
      "ldr r0, [sp, #24]\n ldr r1, [sp]\n cmp r0, r1\n beq 5f\n b 1b\n"
      "5: add sp, #48\n" F8K_V6M_LEAVE);
}

// Four channels' weights in `w` times x in r2, added to the three sums.
#define F8K_FOUR_CHANNELS(w, all, swapped, upper)                                                        \
  "rev16 r5, " w "\n muls r5, r2\n add " swapped ", r5\n lsrs r5, " w ", #16\n muls r5, r2\n add " upper \
  ", r5\n muls " w ", r2\n add " all ", " w "\n"
// One k, r6 from x_end: 38 bytes of code. Leaves the flags of what is left of r6.
#define F8K_ONE_INPUT                                                                   \
  "ldrsb r2, [r1, r6]\n ldm r0!, {r3, r4}\n" F8K_FOUR_CHANNELS("r3", "r8", "r9", "r10") \
      F8K_FOUR_CHANNELS("r4", "r11", "r12", "lr") "adds r6, #1\n"

// The four sums to the stack.
#define F8K_SEPARATE(all, swapped, upper) \
  "mov r5, " all "\n mov r6, " swapped "\n mov r7, " upper "\n bl 10f\n push {r1, r2, r5, r7}\n"

// One row of a linear. sp: the arguments; where to enter the loop of four k.
[[F8K_NAKED]] inline void row_asm(const int32_t* /*stream*/, const RowArguments* /*arguments*/) {
  asm volatile(F8K_V6M_ENTER
      "sub sp, #28\n ldm r1!, {r2-r7}\n mov r1, sp\n stm r1!, {r2-r7}\n"
      "movs r4, #3\n ands r3, r4\n movs r4, #38\n muls r3, r4\n adr r4, 2f\n adds r3, r4\n str r3, [sp, #24]\n"
      "1: ldm r0!, {r2-r7}\n ldr r1, [sp, #16]\n subs r2, r2, r1\n subs r3, r3, r1\n subs r5, r5, r1\n"
      "subs r6, r6, r1\n ldr r1, [sp, #20]\n subs r4, r4, r1\n subs r7, r7, r1\n"
      "mov r8, r2\n mov r9, r3\n mov r10, r4\n mov r11, r5\n mov r12, r6\n mov lr, r7\n"
      "ldr r1, [sp]\n ldr r6, [sp, #4]\n ldr r5, [sp, #24]\n mov pc, r5\n"
      ".balign 4\n"
      "2: " F8K_ONE_INPUT F8K_ONE_INPUT F8K_ONE_INPUT F8K_ONE_INPUT "bne 2b\n"
      F8K_SEPARATE("r11", "r12", "lr") F8K_SEPARATE("r8", "r9", "r10")
      "ldr r1, [sp, #40]\n mov r9, r1\n adds r1, #8\n ldr r2, [sp, #44]\n cmp r1, r2\n bls 3f\n mov r1, r2\n"
      "3: mov r10, r1\n add r1, sp, #32\n mov r11, r1\n"
      "4: ldm r0!, {r1-r5}\n pop {r6}\n lsrs r7, r5, #30\n bne 8f\n cmp r6, r1\n bhi 7f\n"  // a result
      F8K_V6M_PRODUCT("r6", "r2", "r3", "r6") "adds r2, r4\n asrs r2, r5\n"
      "5: mov r1, r9\n strb r2, [r1]\n adds r1, #1\n mov r9, r1\n cmp r1, r10\n bne 4b\n"
      "mov r2, r11\n mov sp, r2\n str r1, [sp, #8]\n ldr r2, [sp, #12]\n cmp r1, r2\n beq 6f\n b 1b\n"
      "6: add sp, #28\n" F8K_V6M_LEAVE
      "7: " F8K_V6M_SATURATE("r6", "r2", "r3") "b 5b\n"
      "8: cmp r6, r1\n ldm r0!, {r1, r7}\n bhi 7b\n cmp r5, #0\n bmi 9f\n"
      F8K_V6M_PRODUCT("r6", "r2", "r3", "r6") "adds r2, r7\n lsrs r2, r2, #13\n cmp r6, r1\n adcs r2, r4\n asrs r2, r5\n b 5b\n"
      "9: mov r12, r0\n mov r0, r6\n mov r6, r1\n" F8K_V6M_WIDE "mov r2, r1\n mov r0, r12\n b 5b\n"
      // separate() of r5, r6, r7 to r1, r2, r5, r7
      "10: lsls r4, r6, #8\n subs r5, r5, r4\n lsls r4, r5, #16\n adds r5, r5, r4\n lsls r4, r5, #8\n"
      "subs r6, r6, r4\n uxth r1, r5\n asrs r5, r5, #16\n uxth r2, r6\n asrs r6, r6, #16\n"
      "lsls r6, r6, #8\n adds r4, r5, r6\n subs r4, r4, r7\n"  // the digits
      "sxtb r3, r4\n subs r5, r5, r3\n subs r4, r4, r3\n asrs r4, r4, #8\n lsls r3, r3, #16\n adds r1, r1, r3\n"
      "sxtb r3, r4\n subs r4, r4, r3\n lsls r3, r3, #16\n adds r2, r2, r3\n"
      "lsls r4, r4, #16\n asrs r4, r4, #8\n subs r5, r5, r4\n subs r7, r7, r5\n asrs r7, r7, #8\n"
      "bx lr\n");
}

#undef F8K_EVEN
#undef F8K_ODD
#undef F8K_BOTH
#undef F8K_LOAD
#undef F8K_FLUSH
#undef F8K_BLOCK
#undef F8K_PAIR_BLOCK
#undef F8K_FOUR_CHANNELS
#undef F8K_ONE_INPUT
#undef F8K_SEPARATE

#else

inline void load_even_asm(const int8_t* x, int32_t bytes, uint32_t* to) {
  for (int32_t i = 0; i < bytes; ++i) to[i * kPixelWords] = static_cast<uint32_t>(x[i]);
}

inline void load_odd_asm(const int8_t* x, int32_t bytes, uint32_t* to) {
  for (int32_t i = 0; i < bytes; ++i) to[i * kPixelWords] += static_cast<uint32_t>(x[i]) << 16;
}

inline void load_pair_asm(const int8_t* x, int32_t bytes, uint32_t* to, int32_t step) {
  load_even_asm(x, bytes, to);
  load_odd_asm(x + step, bytes, to);
}

inline void gemm_asm(const int32_t* stream, const GemmArguments* a) {
  const int32_t ins = static_cast<int32_t>(a->buffer_end - a->buffer) / kPixelWords;
  for (int8_t* y = a->y; stream != a->stream_end; ++y) {
    const int32_t alone = weights_alone(stream);
    const int8_t* weights = reinterpret_cast<const int8_t*>(stream + kStreamHead + alone);
    const int32_t* scale = stream + kStreamHead + alone + ins / 4;
    for (int32_t pixel = 0; pixel < a->sums_bytes / 4; ++pixel) {
      const auto x = [&](int32_t word) {
        const int32_t both = a->buffer[word + pixel / 2];
        const int32_t low = static_cast<int16_t>(both);
        return pixel % 2 == 0 ? low : static_cast<int32_t>((int64_t{both} - low) >> 16);
      };
      uint32_t sum = static_cast<uint32_t>(stream[1]);
      for (int32_t i = 0; i < alone; ++i)
        sum += static_cast<uint32_t>(x(stream[kStreamHead + i] >> 10) * static_cast<int8_t>(stream[kStreamHead + i]));
      for (int32_t k = 0; k < ins; ++k) sum += static_cast<uint32_t>(x(k * kPixelWords) * weights[k]);
      y[pixel * a->step] = rescaled(sum, scale);
    }
    stream = scale + scale_words(scale);
  }
}

inline void row_asm(const int32_t* stream, const RowArguments* a) {
  const int32_t ins = -a->first;
  for (int8_t* y = a->y; y != a->y_end;) {
    const int32_t* weights = stream + kRowSums;
    const int32_t* scale = weights + kRowWords * ins;
    for (int32_t four = 0; four < kRowWords; ++four) {
      const uint32_t* starts = reinterpret_cast<const uint32_t*>(stream) + 3 * four;
      RowSums sums = {starts[0] - a->offset, starts[1] - a->offset, starts[2] - a->upper_offset};
      for (int32_t k = 0; k < ins; ++k) {
        const auto w = static_cast<uint32_t>(weights[kRowWords * k + four]);
        const auto x = static_cast<uint32_t>(a->x_end[k - ins]);
        sums.all += w * x;
        sums.swapped += ((w << 8 & 0xff00ff00u) | (w >> 8 & 0x00ff00ffu)) * x;
        sums.upper += (w >> 16) * x;
      }
      for (int32_t o = 0; o < 4 && y != a->y_end; ++o, scale += scale_words(scale))
        *y++ = rescaled(static_cast<uint32_t>(separate(sums).of[o]), scale);
    }
    stream = scale;
  }
}

#endif

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
