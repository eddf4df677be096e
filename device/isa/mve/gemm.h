// The K loops of the MVE matrix kernels, in assembly. Eight VMLADAV accumulators: the even registers and LR. Naked
// functions: their registers are theirs at every optimisation level. Streams: isa/mve/stream.h.
#pragma once

#include <stdint.h>

#include "core/naked.h"
#include "isa/mve/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

// clang-format off
#define F8K_POP(saved) "vpop {d8-" saved "}\n pop {r4-r11, pc}\n"

// The accumulators to q0 (r0 r2 r4 r6) and q1 (r8 r10 r12 lr).
#define F8K_TO_VECTORS \
  "vmov q0[2], q0[0], r0, r4\n vmov q0[3], q0[1], r2, r6\n vmov q1[2], q1[0], r8, r12\n vmov q1[3], q1[1], r10, lr\n"

// ---- pixels: four windows by a quad of channels

// In the order of the registers that they are loaded to.
struct PixelsArguments {
  const int32_t* stream;  // the quads
  int8_t* y;              // where the channels of the first pixel start, aligned to 4
  int32_t step;           // ... of the next
  int32_t vectors;        // of 16 k: of a window, or of a column
  int32_t pixels;         // results of others are not stored
  int8_t* windows;        // for each 64 k: 64 bytes of each of the four windows; or columns, in a plane for each 16 k
  int32_t zero;
  const int32_t* stream_end;
  int32_t plane;  // bytes from one plane of columns to the next
};

// saved: the last vector register that the loop changes, as d. r1: stream, r4: vectors, r7: windows, r9: zero, r11: the
// stream's end, `at`: addresses of the results before the quad's, vpr: pixels.
#define F8K_PIXELS_BEGIN(saved, at) \
  ".syntax unified\n push {r4-r11, lr}\n vpush {d8-" saved "}\n ldm r0, {r1, r2, r3, r4, r5, r7, r9, r11}\n" \
  "vctp.32 r5\n subs r2, #4\n movs r6, #0\n vidup.u32 " at ", r6, #1\n vmul.i32 " at ", " at ", r3\n" \
  "vadd.i32 " at ", " at ", r2\n"

#define F8K_WEIGHTS "vldrw.u32 q0, [r1], #16\n vldrw.u32 q1, [r1], #16\n"
#define F8K_MACS(mac, x, first, second) mac " " first ", q0, " x "\n" mac " " second ", q1, " x "\n"

// to = round(x * m / 2^31), less one where x is negative: what makes the shift after it round half away from zero. Where
// the zero point is -128 (kRelu), negative values saturate either way.
#define F8K_HIGH(to, x, m) \
  ".if %c[relu]\n vqrdmulh.s32 " to ", " x ", " m "\n .else\n vshr.s32 " to ", " x ", #31\n" \
  "vqrdmlah.s32 " to ", " x ", " m "\n .endif\n"

// Sums, scales and zero of two channels, by way of q0, q1 and t: four results each, to the even and odd lanes of `to`.
#define F8K_SCALE(t, to) \
  F8K_TO_VECTORS \
  "ldm r1!, {r0, r2, r4, r6, r8, r10}\n" \
  "vadd.i32 q0, q0, r0\n vadd.i32 q1, q1, r6\n" \
  F8K_HIGH(t, "q0", "r2") F8K_HIGH("q0", "q1", "r8") \
  "vrshl.s32 " t ", r4\n vrshl.s32 q0, r10\n vqmovnb.s32 " to ", " t "\n vqmovnt.s32 " to ", q0\n" \
  "vqadd.s16 " to ", " to ", r9\n"
#define F8K_STORE(even, odd, at) \
  "vqmovnb.s16 " even ", " even "\n vqmovnt.s16 " even ", " odd "\n vpst\n vstrwt.32 " even ", [" at ", #4]!\n" \
  "cmp r1, r11\n"

// One vector of k. Three windows stay in q2 to q4.
#define F8K_PAIR(to) \
  F8K_WEIGHTS F8K_MACS("vmladav.s8", "q2", "r0", "r8") "vldrw.u32 q5, [r7, #192]\n" \
  F8K_MACS("vmladav.s8", "q3", "r2", "r10") F8K_MACS("vmladav.s8", "q4", "r4", "r12") \
  F8K_MACS("vmladav.s8", "q5", "r6", "lr") F8K_SCALE("q5", to)
template <int kRelu>
[[F8K_NAKED]] inline void gemm_pixels_1_asm(const PixelsArguments* /*arguments*/) {
  asm volatile(F8K_PIXELS_BEGIN("d15", "q7")
               "vldrw.u32 q2, [r7]\n vldrw.u32 q3, [r7, #64]\n vldrw.u32 q4, [r7, #128]\n"
               "1:\n" F8K_PAIR("q6") F8K_PAIR("q1") F8K_STORE("q6", "q1", "q7") "bne 1b\n"
               F8K_POP("d15")
               : : [relu] "i"(kRelu));
}
#undef F8K_PAIR

// 16 k of two channels and the four windows, which have them at `base`, `b`, `c` and `d`.
#define F8K_VECTOR(mac, base, b, c, d) \
  F8K_WEIGHTS "vldrw.u32 q2, [" base ", #" b "]\n" F8K_MACS(mac, "q2", "r2", "r10") \
  "vldrw.u32 q3, [" base ", #" c "]\n" F8K_MACS(mac, "q3", "r4", "r12") \
  "vldrw.u32 q2, [" base ", #" d "]\n" F8K_MACS(mac, "q2", "r6", "lr")
#define F8K_VECTOR_AT(mac, a, b, c, d) \
  F8K_VECTOR(mac, "r7", b, c, d) "vldrw.u32 q3, [r7, #" a "]\n" F8K_MACS(mac, "q3", "r0", "r8")

// Two to four vectors: unrolled.
#define F8K_VECTORS_1(mac) F8K_VECTOR_AT(mac, "0", "64", "128", "192")
#define F8K_VECTORS_2(mac) F8K_VECTOR_AT(mac, "16", "80", "144", "208") F8K_VECTORS_1("vmladava.s8")
#define F8K_VECTORS_3(mac) F8K_VECTOR_AT(mac, "32", "96", "160", "224") F8K_VECTORS_2("vmladava.s8")
#define F8K_VECTORS_4(mac) F8K_VECTOR_AT(mac, "48", "112", "176", "240") F8K_VECTORS_3("vmladava.s8")
#define F8K_PIXELS(name, vectors) \
  template <int kRelu> \
  [[F8K_NAKED]] inline void name(const PixelsArguments* /*arguments*/) { \
    asm volatile(F8K_PIXELS_BEGIN("d11", "q4") "1:\n" vectors("vmladav.s8") F8K_SCALE("q2", "q5") \
                 vectors("vmladav.s8") F8K_SCALE("q2", "q3") F8K_STORE("q5", "q3", "q4") "bne 1b\n" F8K_POP("d11") \
                 : : [relu] "i"(kRelu)); \
  }
F8K_PIXELS(gemm_pixels_2_asm, F8K_VECTORS_2)
F8K_PIXELS(gemm_pixels_3_asm, F8K_VECTORS_3)
F8K_PIXELS(gemm_pixels_4_asm, F8K_VECTORS_4)
#undef F8K_PIXELS
#undef F8K_VECTORS_4
#undef F8K_VECTORS_3
#undef F8K_VECTORS_2
#undef F8K_VECTORS_1

// Any number of vectors from two on: the last one, then down to the first, four in an iteration, which ends with the
// first of a chunk of 64 k. r3: chunk, from r5 down to r7; on the stack where the first iteration begins in each of the
// two pairs, and where the last vector lies.
#define F8K_VECTOR_DOWN(mac, a, b, c, d, step) \
  F8K_VECTOR(mac, "r3", b, c, d) "vldrw.u32 q3, [r3" a step "\n" F8K_MACS(mac, "q3", "r0", "r8")
#define F8K_ALL(entry, loop) \
  "ldr r3, [sp, #8]\n" F8K_VECTOR_DOWN("vmladav.s8", "", "64", "128", "192", "]") \
  "mov r3, r5\n ldr pc, [sp, #" entry "]\n" loop ":\n" \
  F8K_VECTOR_DOWN("vmladava.s8", ", #48", "112", "176", "240", "]") \
  F8K_VECTOR_DOWN("vmladava.s8", ", #32", "96", "160", "224", "]") \
  F8K_VECTOR_DOWN("vmladava.s8", ", #16", "80", "144", "208", "]") \
  F8K_VECTOR_DOWN("vmladava.s8", "", "64", "128", "192", "], #-256") "cmp r3, r7\n bcs.w " loop "b\n"
// Aligned to words, as `adr` is relative to one.
template <int kRelu>
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_pixels_any_asm(const PixelsArguments* /*arguments*/) {
  asm volatile(F8K_PIXELS_BEGIN("d11", "q4")
               "subs r2, r4, #1\n and r3, r2, #3\n bic r2, r2, #3\n add r2, r7, r2, lsl #6\n add r6, r2, r3, lsl #4\n"
               "subs r2, r4, #2\n bic r2, r2, #3\n add r5, r7, r2, lsl #6\n"
               "rsb r4, r4, #1\n and r4, r4, #3\n movs r2, #56\n mul r4, r4, r2\n"  // 14 instructions of 4 bytes each
               "adr.w r2, 2f\n add r2, r2, r4\n adr.w r3, 3f\n add r3, r3, r4\n"
               "adds r2, #1\n adds r3, #1\n push {r2, r3, r6}\n"  // Thumb addresses are odd
               "1:\n" F8K_ALL("0", "2") F8K_SCALE("q2", "q5") F8K_ALL("4", "3") F8K_SCALE("q2", "q3")
               F8K_STORE("q5", "q3", "q4") "bne.w 1b\n add sp, #12\n" F8K_POP("d11")
               : : [relu] "i"(kRelu));
}
#undef F8K_ALL
#undef F8K_VECTOR_DOWN
#undef F8K_VECTOR_AT
#undef F8K_VECTOR

// Windows three columns wide, side by side: six columns, of which each is loaded once. Weights of both channels and the
// three columns stay in q0 to q5 for 16 k of a column; results of the first pair wait on the stack, before the address of
// the first plane. r5: the last plane's end, r7: bytes from a plane's sixth column to the next. Planes come by threes.
#define F8K_TAP(mac, first, second, a, b) mac " " first ", " a ", q6\n" mac " " second ", " b ", q6\n"
#define F8K_TAP_0(mac, first, second) F8K_TAP(mac, first, second, "q0", "q3")
#define F8K_TAP_1(first, second) F8K_TAP("vmladava.s8", first, second, "q1", "q4")
#define F8K_TAP_2(first, second) F8K_TAP("vmladava.s8", first, second, "q2", "q5")
#define F8K_COLUMN "vldrw.u32 q6, [r3], #16\n"
#define F8K_COLUMNS(mac) \
  "vldrw.u32 q0, [r1], #16\n vldrw.u32 q1, [r1], #16\n vldrw.u32 q2, [r1], #16\n" \
  "vldrw.u32 q3, [r1], #16\n vldrw.u32 q4, [r1], #16\n vldrw.u32 q5, [r1], #16\n" \
  F8K_COLUMN F8K_TAP_0(mac, "r0", "r8") \
  F8K_COLUMN F8K_TAP_0(mac, "r2", "r10") F8K_TAP_1("r0", "r8") \
  F8K_COLUMN F8K_TAP_0(mac, "r4", "r12") F8K_TAP_1("r2", "r10") F8K_TAP_2("r0", "r8") \
  F8K_COLUMN F8K_TAP_0(mac, "r6", "lr") F8K_TAP_1("r4", "r12") F8K_TAP_2("r2", "r10") \
  F8K_COLUMN F8K_TAP_1("r6", "lr") F8K_TAP_2("r4", "r12") \
  F8K_COLUMN F8K_TAP_2("r6", "lr") "add r3, r7\n"
#define F8K_THREE_PLANES(mac) F8K_COLUMNS(mac) F8K_COLUMNS("vmladava.s8") F8K_COLUMNS("vmladava.s8")
#define F8K_ALL_COLUMNS(loop, end) \
  "ldr r3, [sp, #16]\n" F8K_THREE_PLANES("vmladav.s8") "cmp r3, r5\n beq.w " end "f\n" \
  loop ":\n" F8K_THREE_PLANES("vmladava.s8") "cmp r3, r5\n bne.w " loop "b\n" end ":\n"
template <int kRelu>
[[F8K_NAKED]] inline void gemm_columns_asm(const PixelsArguments* /*arguments*/) {
  asm volatile(F8K_PIXELS_BEGIN("d15", "q7")
               "ldr r2, [r0, #32]\n mla r5, r4, r2, r7\n push {r7}\n sub sp, #16\n sub r7, r2, #96\n"
               "1:\n" F8K_ALL_COLUMNS("2", "4") F8K_SCALE("q2", "q5") "vstrw.32 q5, [sp]\n"
               F8K_ALL_COLUMNS("3", "5") F8K_SCALE("q2", "q4") "vldrw.u32 q5, [sp]\n"
               F8K_STORE("q5", "q4", "q7") "bne.w 1b\n add sp, #20\n" F8K_POP("d15")
               : : [relu] "i"(kRelu));
}
#undef F8K_ALL_COLUMNS
#undef F8K_THREE_PLANES
#undef F8K_COLUMNS
#undef F8K_COLUMN
#undef F8K_TAP_2
#undef F8K_TAP_1
#undef F8K_TAP_0
#undef F8K_TAP
#undef F8K_STORE
#undef F8K_SCALE
#undef F8K_HIGH
#undef F8K_MACS
#undef F8K_WEIGHTS
#undef F8K_PIXELS_BEGIN

// clang-format on

template <int kRelu>
inline void gemm_pixels(const PixelsArguments& arguments) {
  switch (arguments.vectors) {
    case 1: return gemm_pixels_1_asm<kRelu>(&arguments);
    case 2: return gemm_pixels_2_asm<kRelu>(&arguments);
    case 3: return gemm_pixels_3_asm<kRelu>(&arguments);
    case 4: return gemm_pixels_4_asm<kRelu>(&arguments);
    default: return gemm_pixels_any_asm<kRelu>(&arguments);
  }
}

template <int kRelu>
inline void gemm_columns(const PixelsArguments& arguments) {
  gemm_columns_asm<kRelu>(&arguments);
}

// ---- rows: one row of a linear by eight channels

struct RowArguments {
  const int32_t* stream;  // the blocks
  const int32_t* stream_end;
  const int8_t* x;
  int32_t head;               // of x, which the first vector reads: 1 to 16
  int32_t vectors;            // in all
  int8_t* y;                  // a whole number of blocks
  int32_t multiplier, shift;  // of all channels; 0 where the blocks have their own
  int32_t zero;
};

// clang-format off
#define F8K_CHANNEL(acc, q) "vldrw.u32 " q ", [r1], #16\n vmladava.s8 " acc ", q0, " q "\n"
#define F8K_CHANNELS \
  F8K_CHANNEL("r0", "q1") F8K_CHANNEL("r2", "q2") F8K_CHANNEL("r4", "q3") F8K_CHANNEL("r6", "q1") \
  F8K_CHANNEL("r8", "q2") F8K_CHANNEL("r10", "q3") F8K_CHANNEL("r12", "q1") F8K_CHANNEL("lr", "q2")
#define F8K_VECTOR "vldrb.u8 q0, [r3], #16\n" F8K_CHANNELS
#define F8K_EIGHT F8K_VECTOR F8K_VECTOR F8K_VECTOR F8K_VECTOR F8K_VECTOR F8K_VECTOR F8K_VECTOR F8K_VECTOR

// r1: stream, r11: its end, r7: x, r3: x after the head, r9: end of x, r5: y, vpr: lanes of the head; on the stack
// multiplier, shift, zero, x after the head, and where the first iteration over the other vectors begins.
// Aligned to words, as `adr` is relative to one.
[[F8K_NAKED, gnu::aligned(4)]] inline void gemm_row_asm(const RowArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n push {r4-r11, lr}\n"
      "ldr r1, [r0]\n ldr r11, [r0, #4]\n ldr r7, [r0, #8]\n ldr r3, [r0, #12]\n ldr r4, [r0, #16]\n"
      "ldr r5, [r0, #20]\n"
      "vctp.8 r3\n add r3, r3, r7\n subs r4, #1\n add r9, r3, r4, lsl #4\n"
      "adr.w r2, 2f\n cmp r4, #0\n it eq\n adreq.w r2, 3f\n"
      "rsb r4, r4, #0\n and r4, r4, #7\n movs r6, #68\n mla r2, r4, r6, r2\n"  // 17 instructions of 4 bytes a vector
      "adds r2, #1\n push {r2, r3}\n"                                           // Thumb addresses are odd
      "ldr r4, [r0, #24]\n ldr r6, [r0, #28]\n ldr r8, [r0, #32]\n push {r4, r6, r8}\n"
      "1: ldm r1!, {r0, r2, r4, r6, r8, r10, r12, lr}\n"
      "vpst\n vldrbt.u8 q0, [r7]\n" F8K_CHANNELS "ldr r3, [sp, #16]\n ldr pc, [sp, #12]\n"
      "2: " F8K_EIGHT "cmp r3, r9\n bne.w 2b\n"
      "3: " F8K_TO_VECTORS "ldm sp, {r0, r2, r4}\n cbz r0, 5f\n"
      "vshr.s32 q2, q0, #31\n vqrdmlah.s32 q2, q0, r0\n vshr.s32 q0, q1, #31\n vqrdmlah.s32 q0, q1, r0\n"
      "vrshl.s32 q2, r2\n vrshl.s32 q0, r2\n"
      "4: vqmovnb.s32 q1, q2\n vqmovnt.s32 q1, q0\n vqadd.s16 q1, q1, r4\n vqmovnb.s16 q1, q1\n"
      "vstrb.16 q1, [r5], #8\n cmp r1, r11\n bne.w 1b\n add sp, #20\n pop {r4-r11, pc}\n"
      "5: vldrw.u32 q2, [r1], #16\n vldrw.u32 q3, [r1], #16\n vqrdmulh.s32 q2, q0, q2\n vqrdmulh.s32 q3, q1, q3\n"
      "vshr.s32 q0, q0, #31\n vshr.s32 q1, q1, #31\n vadd.i32 q2, q2, q0\n vadd.i32 q0, q3, q1\n"
      "vldrw.u32 q1, [r1], #16\n vldrw.u32 q3, [r1], #16\n vrshl.s32 q2, q2, q1\n vrshl.s32 q0, q0, q3\n b 4b\n");
}
#undef F8K_EIGHT
#undef F8K_VECTOR
#undef F8K_CHANNELS
#undef F8K_CHANNEL
#undef F8K_TO_VECTORS
#undef F8K_POP
// clang-format on

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
