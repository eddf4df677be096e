// Products (core/product.h) for MVE: four elements at a time in 32 bits.
#pragma once

#include <arm_mve.h>

#include "core/product.h"
#include "isa/mve/affine.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

template <int kShift, bool kClamp>
inline int32x4_t product(const Product& f, int32_t base, const Output& out, int32x4_t a, int32x4_t b) {
  const int32x4_t p = vmulq_s32(vsubq_n_s32(a, f.a_zero), vsubq_n_s32(b, f.b_zero));
  const int32x4_t below = vandq_s32(vshrq_n_s32(p, 31), vdupq_n_s32(f.below));
  const int32x4_t low = vshrq_n_s32(vmulq_n_s32(p, f.low), 14);
  const int32x4_t sum = vmlaq_n_s32(vdupq_n_s32(base), p, f.high);
  return saturated<kShift, kClamp>(vsubq_s32(vaddq_s32(sum, low), below), out);
}

// The elements of one run.
template <int kShift, bool kClamp, int kStepA, int kStepB>
inline void product_run(int32_t elems, const Product& f, const Output& out, const int8_t* a, const int8_t* b,
                        int8_t* y) {
  const Product g = f;
  const int32_t base = g.offset - (1 << (kShift - 1));  // as saturated() takes it
  for (; elems >= 4; elems -= 4, a += 4 * kStepA, b += 4 * kStepB, y += 4) {
    const int32x4_t left = kStepA != 0 ? vldrbq_s32(a) : vdupq_n_s32(*a);
    const int32x4_t right = kStepB != 0 ? vldrbq_s32(b) : vdupq_n_s32(*b);
    const int32x4_t results = product<kShift, kClamp>(g, base, out, left, right);
    vstrbq_s32(y, results);
  }
  if (elems == 0) return;
  const mve_pred16_t rest = vctp32q(static_cast<uint32_t>(elems));
  const int32x4_t left = kStepA != 0 ? vldrbq_z_s32(a, rest) : vdupq_n_s32(*a);
  const int32x4_t right = kStepB != 0 ? vldrbq_z_s32(b, rest) : vdupq_n_s32(*b);
  const int32x4_t results = product<kShift, kClamp>(g, base, out, left, right);
  vstrbq_p_s32(y, results, rest);
}

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
