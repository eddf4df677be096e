// The loops of isa/v6m/depthwise.h, in assembly and for the host as in isa/v6m/requantize.h.
#pragma once

#include "core/naked.h"
#include "core/planar.h"
#include "isa/v6m/depthwise.h"
#include "isa/v6m/requantize.h"

namespace f8k {
inline namespace v0_1 {
namespace v6m {

struct PlaneArguments {
  int32_t zero;
  int32_t* end;  // of the columns left of the pixels, of all
  int32_t* columns_end;
  int32_t first;     // pixel, in bytes from behind the last: 0 if there is none
  int32_t pixel_in;  // bytes between pixels
  int32_t distance;  // in bytes
};

#if defined(__thumb__)

// The column in r3 to its word, r6 bytes behind r1, and to the upper half of the word at r1.
#define F8K_COLUMN "str r3, [r1, r6]\n lsls r3, r3, #16\n ldr r4, [r1]\n adds r4, r4, r3\n stm r1!, {r4}\n"

// One channel of an input row. x: behind its last pixel; to, and the ends: `distance` before the columns.
[[F8K_NAKED]] inline void plane_asm(const int8_t* /*x*/, int32_t* /*to*/,
                                                    const PlaneArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n ldr r6, [r2, #20]\n ldr r7, [r2, #4]\n b 2f\n"
      "1: ldr r3, [r2]\n" F8K_COLUMN
      "2: cmp r1, r7\n bne 1b\n"
      "mov r12, r2\n ldr r5, [r2, #12]\n ldr r2, [r2, #16]\n cmp r5, #0\n beq 4f\n"
      "3: ldrsb r3, [r0, r5]\n" F8K_COLUMN
      "adds r5, r5, r2\n bne 3b\n"
      "4: mov r2, r12\n ldr r7, [r2, #8]\n b 6f\n"
      "5: ldr r3, [r2]\n" F8K_COLUMN
      "6: cmp r1, r7\n bne 5b\n"
      "pop {r4-r7, pc}\n");
}

#undef F8K_COLUMN

#define F8K_TAP(x, tap) "ldr r5, [sp, #" tap "]\n muls " x ", r5\n"
// Adds the packed sum in x to r8, and its upper half, rounded by the lower one's sign, to r4.
#define F8K_FLUSH(x) "add r8, " x "\n asrs " x ", " x ", #16\n adcs r4, " x "\n"

// Sums of a 3x3 kernel without gaps along a row of one channel, two neighbours at a time. record: nine weights, what
// the sums start from. places: of the window's rows in `plane`. step: bytes between the windows of two pairs. sp: the
// weights; r0, r6, r7: the rows, r11: what they advance by beyond a window.
[[F8K_NAKED]] inline void sums_3x3_asm(const int32_t* /*record*/, const int32_t* /*places*/,
                                                       const int8_t* /*plane*/, int32_t* /*sums*/,
                                                       int32_t* /*sums_end*/, int32_t /*step*/) {
  asm volatile(F8K_V6M_ENTER
      "ldr r4, [sp, #36]\n mov r12, r4\n ldr r4, [sp, #40]\n subs r4, #12\n mov r11, r4\n mov lr, r3\n sub sp, #36\n"
      "mov r9, r1\n mov r10, r2\n mov r6, sp\n"
      "ldm r0!, {r1, r7}\n sxtb r2, r1\n asrs r1, r1, #8\n sxtb r3, r1\n asrs r1, r1, #8\n sxtb r4, r1\n"
      "asrs r5, r1, #8\n stm r6!, {r2-r5}\n sxtb r2, r7\n asrs r7, r7, #8\n sxtb r3, r7\n asrs r7, r7, #8\n sxtb r4, r7\n"
      "asrs r5, r7, #8\n stm r6!, {r2-r5}\n ldm r0!, {r3, r4}\n sxtb r3, r3\n str r3, [r6]\n"
      "mov r1, r9\n mov r2, r10\n ldm r1!, {r0, r6, r7}\n adds r0, r2\n adds r6, r2\n adds r7, r2\n"
      "mov r10, r4\n lsls r1, r4, #16\n add r1, r10\n mov r9, r1\n"
      "1: mov r8, r9\n mov r4, r10\n"
      "ldm r0!, {r1-r3}\n add r0, r11\n" F8K_TAP("r1", "0") F8K_TAP("r2", "4") F8K_TAP("r3", "8") "adds r1, r2\n"
      F8K_FLUSH("r1")
      "ldm r6!, {r1, r2}\n" F8K_TAP("r1", "12") "adds r3, r1\n" F8K_FLUSH("r3") "ldm r6!, {r3}\n add r6, r11\n"
      F8K_TAP("r2", "16") F8K_TAP("r3", "20") "adds r2, r3\n" F8K_FLUSH("r2")
      "ldm r7!, {r1-r3}\n add r7, r11\n" F8K_TAP("r1", "24") F8K_TAP("r2", "28") F8K_TAP("r3", "32") "adds r1, r2\n"
      F8K_FLUSH("r1") F8K_FLUSH("r3")
      "lsls r5, r4, #16\n mov r3, r8\n subs r3, r3, r5\n mov r5, lr\n stm r5!, {r3, r4}\n mov lr, r5\n"
      "cmp r5, r12\n bne 1b\n"
      "add sp, #36\n" F8K_V6M_LEAVE);
}

#undef F8K_TAP
#undef F8K_FLUSH

#else

inline void plane_asm(const int8_t* x, int32_t* to, const PlaneArguments* a) {
  const auto column = [&](int32_t value) {
    to[a->distance / 4] = value;
    *to = static_cast<int32_t>(static_cast<uint32_t>(*to) + (static_cast<uint32_t>(value) << 16));
    ++to;
  };
  while (to != a->end) column(a->zero);
  for (int32_t i = a->first; i != 0; i += a->pixel_in) column(x[i]);
  while (to != a->columns_end) column(a->zero);
}

inline void sums_3x3_asm(const int32_t* record, const int32_t* places, const int8_t* plane, int32_t* sums,
                         int32_t* sums_end, int32_t step) {
  const int8_t* weights = reinterpret_cast<const int8_t*>(record);
  for (; sums != sums_end; sums += 2, plane += step) {
    sums[0] = sums[1] = record[depthwise_weight_words(9)];
    for (int32_t tap = 0; tap < 9; ++tap) {
      const int32_t both = reinterpret_cast<const int32_t*>(plane + places[tap / 3])[tap % 3];
      const int32_t low = static_cast<int16_t>(both);
      sums[0] += low * weights[tap];
      sums[1] += static_cast<int32_t>((int64_t{both} - low) >> 16) * weights[tap];
    }
  }
}

#endif

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
