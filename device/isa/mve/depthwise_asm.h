// The loops of depthwise convolution by patches (isa/mve/depthwise.h), in assembly.
#pragma once

#include <stdint.h>

#include "core/naked.h"
#include "isa/mve/depthwise.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

// Four columns of one row and 16 or 8 channels at a time.
struct PlanarArguments {
  const int8_t* x;
  int32_t pixel_bytes;
  int8_t* to;
  int32_t step;    // bytes between groups of four columns
  int32_t groups;  // at least 1
  uint32_t lanes;  // predicate: the channels
};

[[F8K_NAKED]] inline void planar_groups_asm(const PlanarArguments* /*arguments*/) {
  asm volatile(
      ".syntax unified\n push {r4-r7, lr}\n ldm r0, {r1-r6}\n vmsr p0, r6\n dls lr, r5\n"
      "adds r5, r1, r2\n adds r6, r5, r2\n adds r7, r6, r2\n lsls r2, r2, #2\n"
      "1: vpstttt\n vldrbt.u8 q0, [r1]\n vldrbt.u8 q1, [r5]\n vldrbt.u8 q2, [r6]\n vldrbt.u8 q3, [r7]\n"
      "vst40.8 {q0, q1, q2, q3}, [r3]\n vst41.8 {q0, q1, q2, q3}, [r3]\n"
      "vst42.8 {q0, q1, q2, q3}, [r3]\n vst43.8 {q0, q1, q2, q3}, [r3]\n"
      "add r3, r4\n add r1, r2\n add r5, r2\n add r6, r2\n add r7, r2\n le lr, 1b\n"
      "pop {r4-r7, pc}\n");
}

// One output row, or two, of a block of channels.
struct PatchArguments {
  uint32_t rows[4];           // addresses of planar rows that the windows see
  uint32_t columns[4];        // offsets of four words of four columns of the first channel
  uint16_t results[8];        // offsets of a unit's results; their order is that of the loop below
  int8_t* y;                  // of the first channel
  const int32_t* stream_end;  // of the records
  int32_t channel_bytes;      // between the results of two channels
  int8_t* work;
  int32_t vectors;        // of 16 columns
  int32_t vector_bytes;   // from one to the next
  const int8_t* first;    // word of the first column, at work
  int32_t units;          // before the last one
  int32_t last_is_half;   // the last unit's second half is missing
  uint32_t last_lanes;    // predicate: its results
  const int32_t* stream;  // records
  int32_t zero;
  int32_t unit_bytes;  // between the results of two units
  int32_t made;        // output rows that the arguments are for; 0: none yet
};
static_assert(sizeof(PatchArguments) == kPatchArgumentBytes, "room for them in scratch");

// clang-format off
// A row of words for one channel, at work: 16 columns by four rows at a time.
#define F8K_INTERLEAVE \
  "ldm r11, {r0, r2, r4, r6}\n vldrw.u32 q0, [r11, #16]\n movs r5, #4\n vadd.i32 q1, q0, r5\n vstrw.32 q1, [r11, #16]\n" \
  "ldr r1, [r11, #60]\n ldrd r8, r9, [r11, #64]\n dls lr, r8\n" \
  "2: vldrw.u32 q4, [r0, q0]\n vldrw.u32 q5, [r2, q0]\n vldrw.u32 q6, [r4, q0]\n vldrw.u32 q7, [r6, q0]\n" \
  "vst40.8 {q4, q5, q6, q7}, [r1]\n vst41.8 {q4, q5, q6, q7}, [r1]\n" \
  "vst42.8 {q4, q5, q6, q7}, [r1]\n vst43.8 {q4, q5, q6, q7}, [r1]!\n vadd.i32 q0, q0, r9\n le lr, 2b\n"

// Four accumulators to the 32-bit lanes of q.
#define F8K_TO_VECTOR(q) "vmov " q "[2], " q "[0], r0, r4\n vmov " q "[3], " q "[1], r2, r6\n"

// As in isa/mve/gemm.h.
#define F8K_HIGH(to, x, m) \
  ".if %c[relu]\n vqrdmulh.s32 " to ", " x ", " m "\n .else\n vshr.s32 " to ", " x ", #31\n" \
  "vqrdmlah.s32 " to ", " x ", " m "\n .endif\n"

// Sum, scale and zero of one channel: q5 to the even and q6 to the odd 16-bit lanes of q6, as bytes.
#define F8K_FINISH \
  "vadd.i32 q5, q5, r8\n vadd.i32 q6, q6, r8\n" \
  F8K_HIGH("q4", "q5", "r9") F8K_HIGH("q5", "q6", "r9") \
  "vrshl.s32 q4, r10\n vrshl.s32 q5, r10\n vqmovnb.s32 q6, q4\n vqmovnt.s32 q6, q5\n" F8K_NARROW
#define F8K_FINISH_HALF \
  "vadd.i32 q5, q5, r8\n" F8K_HIGH("q4", "q5", "r9") "vrshl.s32 q4, r10\n vqmovnb.s32 q6, q4\n" F8K_NARROW
#define F8K_NARROW "vqadd.s16 q6, q6, r3\n vqmovnb.s16 q6, q6\n"

#define F8K_PATCHES(name, kernels, half) \
  template <int kRelu> \
  [[F8K_NAKED]] inline void name(PatchArguments* /*arguments*/) { \
    asm volatile( \
        ".syntax unified\n push {r4-r11, lr}\n vpush {d8-d15}\n mov r11, r0\n" \
        "ldr r7, [r11, #88]\n ldr r3, [r11, #92]\n ldr r12, [r11, #96]\n" \
        "1: " F8K_INTERLEAVE \
        kernels "ldrd r8, r9, [r7, #20]\n ldr r10, [r7, #28]\n adds r7, #32\n" \
        "ldrd r1, r0, [r11, #72]\n vldrw.u32 q7, [r11, #32]\n ldr r5, [r11, #48]\n wls lr, r0, 4f\n" \
        "3: " half("q5") half("q6") F8K_FINISH "vstrb.16 q6, [r5, q7]\n add r5, r12\n le lr, 3b\n" \
        "4: ldrd r0, r2, [r11, #80]\n vmsr p0, r2\n cmp r0, #0\n bne 5f\n" \
        half("q5") half("q6") F8K_FINISH "b 6f\n" \
        "5: " half("q5") F8K_FINISH_HALF \
        "6: vpst\n vstrbt.16 q6, [r5, q7]\n ldrd r0, r2, [r11, #48]\n ldr r4, [r11, #56]\n add r0, r4\n" \
        "str r0, [r11, #48]\n cmp r7, r2\n bne.w 1b\n" \
        "vpop {d8-d15}\n pop {r4-r11, pc}\n" \
        : : [relu] "i"(kRelu)); \
  }

// The kernel in the left columns of a patch, and in the right ones.
#define F8K_KERNELS_1 "vldrw.u32 q0, [r7, #4]\n vldrw.u32 q1, [r7]\n"
#define F8K_LOAD_PATCH "vldrw.u32 q4, [r1], #8\n"

// One column a step, two rows. A patch has two results of the first row and two of the second; a unit is two patches.
#define F8K_PAIR_PATCH(q) \
  F8K_LOAD_PATCH "vmladav.s8 r0, q0, q4\n vmladav.s8 r2, q1, q4\n" \
  "vmladav.s8 r4, q2, q4\n vmladav.s8 r6, q3, q4\n" F8K_TO_VECTOR(q)
F8K_PATCHES(patches_pair_asm, F8K_KERNELS_1 "vshl.i32 q2, q0, #8\n vshl.i32 q3, q1, #8\n", F8K_PAIR_PATCH)

// One column a step, one row. A patch has two results; a unit is four patches.
#define F8K_TWO_PATCHES_1(q) \
  F8K_LOAD_PATCH "vmladav.s8 r0, q0, q4\n vmladav.s8 r2, q1, q4\n" \
  F8K_LOAD_PATCH "vmladav.s8 r4, q0, q4\n vmladav.s8 r6, q1, q4\n" F8K_TO_VECTOR(q)
F8K_PATCHES(patches_stride_1_asm, F8K_KERNELS_1, F8K_TWO_PATCHES_1)

// Two columns a step, one row. A patch has one result; a unit is eight patches.
#define F8K_PATCH_2(acc) F8K_LOAD_PATCH "vmladav.s8 " acc ", q0, q4\n"
#define F8K_FOUR_PATCHES_2(q) F8K_PATCH_2("r0") F8K_PATCH_2("r2") F8K_PATCH_2("r4") F8K_PATCH_2("r6") F8K_TO_VECTOR(q)
F8K_PATCHES(patches_stride_2_asm, "vldrw.u32 q0, [r7, #4]\n", F8K_FOUR_PATCHES_2)

#undef F8K_FOUR_PATCHES_2
#undef F8K_PATCH_2
#undef F8K_TWO_PATCHES_1
#undef F8K_PAIR_PATCH
#undef F8K_LOAD_PATCH
#undef F8K_KERNELS_1
#undef F8K_PATCHES
#undef F8K_NARROW
#undef F8K_FINISH_HALF
#undef F8K_FINISH
#undef F8K_HIGH
#undef F8K_TO_VECTOR
#undef F8K_INTERLEAVE
// clang-format on

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
