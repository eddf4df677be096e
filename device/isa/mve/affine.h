// Affine sums (core/affine.h) for MVE: four elements at a time in 32 bits, narrowed in two saturating shifts.
#pragma once

#include <arm_mve.h>

#include "core/affine.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

// Sums >> kShift as int8, in the low byte of each lane; 1 << (kShift - 1) is missing in them. They are narrowed by 16
// bits without rounding and by the rest with it; up to 16 bits, once with it. (VQSHRNB would not round, but binutils 2.40
// assembles it as VQRSHRNB.) In assembly the narrowed value replaces the wide one without a move.
template <int kShift, bool kClamp>
inline int32x4_t saturated(int32x4_t sum, const Output& out) {
  if constexpr (kShift > 16) {
    asm("vshrnb.i32 %q0, %q0, #16\n vqrshrnb.s16 %q0, %q0, %1" : "+w"(sum) : "i"(kShift - 16));
  } else {
    asm("vqrshrnb.s32 %q0, %q0, %1\n vqmovnb.s16 %q0, %q0" : "+w"(sum) : "i"(kShift));
  }
  if (!kClamp) return sum;
  const int8x16_t low = vmaxq_s8(vreinterpretq_s8_s32(sum), vdupq_n_s8(static_cast<int8_t>(out.lo)));
  return vreinterpretq_s32_s8(vminq_s8(low, vdupq_n_s8(static_cast<int8_t>(out.hi))));
}

// scale_a: f.a in each lane.
template <int kShift, bool kClamp, int kStepA, int kStepB>
inline int32x4_t affine(int32x4_t scale_a, int32_t scale_b, int32_t base, const Output& out, int32x4_t a, int32x4_t b) {
  int32x4_t sum = kStepA != 0 ? vmlasq_n_s32(a, scale_a, base) : vdupq_n_s32(base);
  if (kStepB != 0) sum = vmlaq_n_s32(sum, b, scale_b);
  return saturated<kShift, kClamp>(sum, out);
}

// The elements of one run.
template <int kShift, bool kClamp, int kStepA, int kStepB>
inline void affine_run(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
  const int32_t base = standing_part<kStepA, kStepB>(f, a, b) - (1 << (kShift - 1));
  const int32x4_t scale_a = vdupq_n_s32(f.a);
  const int32_t scale_b = f.b;
  for (; elems >= 4; elems -= 4, a += 4 * kStepA, b += 4 * kStepB, y += 4) {
    const int32x4_t results =
        affine<kShift, kClamp, kStepA, kStepB>(scale_a, scale_b, base, out, vldrbq_s32(a), vldrbq_s32(b));
    vstrbq_s32(y, results);
  }
  if (elems == 0) return;
  const mve_pred16_t rest = vctp32q(static_cast<uint32_t>(elems));
  const int32x4_t results =
      affine<kShift, kClamp, kStepA, kStepB>(scale_a, scale_b, base, out, vldrbq_z_s32(a, rest), vldrbq_z_s32(b, rest));
  vstrbq_p_s32(y, results, rest);
}

// A scale and a bias for each element.
template <int kShift, bool kClamp>
inline int32x4_t affine_each(const Output& out, int32x4_t x, int32x4_t scale, int32x4_t bias) {
  const int32x4_t base = vsubq_n_s32(bias, 1 << (kShift - 1));
  return saturated<kShift, kClamp>(vaddq_s32(vmulq_s32(x, scale), base), out);
}

template <int kShift, bool kClamp, int kStepX>
inline void affine_each_run(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                        int8_t* y) {
  for (; elems >= 4; elems -= 4, x += 4 * kStepX, scale += 4, bias += 4, y += 4) {
    const int32x4_t values = kStepX != 0 ? vldrbq_s32(x) : vdupq_n_s32(*x);
    const int32x4_t results = affine_each<kShift, kClamp>(out, values, vldrwq_s32(scale), vldrwq_s32(bias));
    vstrbq_s32(y, results);
  }
  if (elems == 0) return;
  const mve_pred16_t rest = vctp32q(static_cast<uint32_t>(elems));
  const int32x4_t values = kStepX != 0 ? vldrbq_z_s32(x, rest) : vdupq_n_s32(*x);
  const int32x4_t results =
      affine_each<kShift, kClamp>(out, values, vldrwq_z_s32(scale, rest), vldrwq_z_s32(bias, rest));
  vstrbq_p_s32(y, results, rest);
}

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
