// The K loops of the MVE matrix kernels, in assembly. Eight VMLADAV accumulators: the even registers and LR. Naked
// functions: their registers are theirs at every optimisation level. Streams: isa/mve/stream.h.
#pragma once

#include <stdint.h>

#include "isa/mve/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

struct PixelsArguments {
  const int32_t* stream;
  const int32_t* stream_end;
  const int8_t* buffer;  // for each 16 k: 16 bytes of each of the four windows
  const int8_t* buffer_end;
  int8_t* y;
  const uint16_t* offsets;  // from y to the two channels of the four pixels: p0, p0 + 1, p1, p1 + 1, ...
  int32_t zero;
};

#define F8K_PIXEL(mac, first, second) "vldrw.u32 q2, [r3], #16\n" mac " " first ", q0, q2\n" mac " " second ", q1, q2\n"
#define F8K_BLOCK(mac)                                                                                         \
  "vldrw.u32 q0, [r1], #16\n vldrw.u32 q1, [r1], #16\n" F8K_PIXEL(mac, "r0", "r8") F8K_PIXEL(mac, "r2", "r10") \
      F8K_PIXEL(mac, "r4", "r12") F8K_PIXEL(mac, "r6", "lr")

[[gnu::naked, gnu::noinline]] inline void gemm_pixels_asm(const PixelsArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n vpush {d14-d15}\n sub sp, #4\n"
      "ldr r1, [r0]\n ldr r11, [r0, #4]\n ldr r7, [r0, #8]\n ldr r9, [r0, #12]\n ldr r5, [r0, #16]\n"
      "ldr r2, [r0, #20]\n ldr r3, [r0, #24]\n vldrh.u16 q7, [r2]\n str r3, [sp]\n"
      "1: mov r3, r7\n" F8K_BLOCK("vmladav.s8")
      "cmp r3, r9\n beq 3f\n"
      "2: " F8K_BLOCK("vmladava.s8")
      "cmp r3, r9\n bne 2b\n"
      "3: vmov q0[2], q0[0], r0, r4\n vmov q0[3], q0[1], r2, r6\n vmov q1[2], q1[0], r8, r12\n vmov q1[3], q1[1], r10, lr\n"
      "ldm r1!, {r0, r2, r4, r6, r8, r10, r12}\n"
      "vadd.i32 q0, q0, r0\n vadd.i32 q1, q1, r6\n vshr.s32 q2, q0, #31\n vshr.s32 q3, q1, #31\n"
      "vqrdmlah.s32 q2, q0, r2\n vqrdmlah.s32 q3, q1, r8\n vrshl.s32 q2, r4\n vrshl.s32 q3, r10\n"
      "vqmovnb.s32 q0, q2\n ldr r0, [sp]\n vqmovnt.s32 q0, q3\n vqadd.s16 q0, q0, r0\n vqmovnb.s16 q0, q0\n"
      "add r0, r5, r12\n vstrb.16 q0, [r0, q7]\n"
      "cmp r1, r11\n bne 1b\n"
      "add sp, #4\n vpop {d14-d15}\n pop {r4-r11, pc}\n");
}

#undef F8K_PIXEL
#undef F8K_BLOCK

struct RowArguments {
  const int32_t* stream;
  const int32_t* stream_end;
  const int8_t* x;  // a whole number of 16 bytes
  const int8_t* x_end;
  int8_t* y;
  int32_t zero;
};

#define F8K_CHANNEL(acc, q) "vldrw.u32 " q ", [r1], #16\n vmladava.s8 " acc ", q0, " q "\n"

[[gnu::naked, gnu::noinline]] inline void gemm_row_asm(const RowArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n"
      "push {r4-r11, lr}\n sub sp, #4\n"
      "ldr r1, [r0]\n ldr r11, [r0, #4]\n ldr r7, [r0, #8]\n ldr r9, [r0, #12]\n ldr r5, [r0, #16]\n ldr r2, [r0, #20]\n str r2, [sp]\n"
      "1: mov r3, r7\n ldm r1!, {r0, r2, r4, r6, r8, r10, r12, lr}\n"
      "2: vldrb.u8 q0, [r3], #16\n" F8K_CHANNEL("r0", "q1") F8K_CHANNEL("r2", "q2") F8K_CHANNEL("r4", "q3") F8K_CHANNEL("r6", "q1")
      F8K_CHANNEL("r8", "q2") F8K_CHANNEL("r10", "q3") F8K_CHANNEL("r12", "q1") F8K_CHANNEL("lr", "q2")
      "cmp r3, r9\n bne 2b\n"
      "vmov q0[2], q0[0], r0, r4\n vmov q0[3], q0[1], r2, r6\n vmov q1[2], q1[0], r8, r12\n vmov q1[3], q1[1], r10, lr\n"
      "vldrw.u32 q2, [r1], #16\n vldrw.u32 q3, [r1], #16\n vqrdmulh.s32 q2, q0, q2\n vqrdmulh.s32 q3, q1, q3\n"
      "vshr.s32 q0, q0, #31\n vshr.s32 q1, q1, #31\n vadd.i32 q2, q2, q0\n vadd.i32 q3, q3, q1\n"
      "vldrw.u32 q0, [r1], #16\n vldrw.u32 q1, [r1], #16\n vrshl.s32 q2, q2, q0\n vrshl.s32 q3, q3, q1\n"
      "vqmovnb.s32 q0, q2\n ldr r0, [sp]\n vqmovnt.s32 q0, q3\n vqadd.s16 q0, q0, r0\n vqmovnb.s16 q0, q0\n"
      "ldr r0, [r1], #4\n add r0, r5, r0\n vstrb.16 q0, [r0]\n"
      "cmp r1, r11\n bne 1b\n"
      "add sp, #4\n pop {r4-r11, pc}\n");
}

#undef F8K_CHANNEL

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
