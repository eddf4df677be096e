// ARMv7-M without DSP extension (Cortex-M3), in portable C++17: it also runs on the host, where tests compare it with
// the interpreter. It has every primitive that a kernel may ask of an Isa; the other ISAs override some.
#pragma once

#include "core/copy_bytes.h"
#include "core/rescale.h"
#include "isa/v7m/affine.h"
#include "isa/v7m/order.h"

namespace f8k {
inline namespace v0_1 {

struct V7m {
  static constexpr const char* kName = "v7m";
  static constexpr WeightOrder kGemmOrder = v7m::kGemmOrder;

  static int32_t doubling_high_mul(int32_t a, int32_t b) { return f8k::doubling_high_mul(a, b); }

  static void copy(int8_t* to, const int8_t* from, int32_t bytes) { copy_bytes<true>(to, from, bytes); }

  // Whether there is load_run(), for the windows of several pixels at once.
  static constexpr bool kLoadsRuns = false;

  // acc[j] += sum over k of x[k] * w[j][k], j < kGemmOrder.out_block; w is one row group in kGemmOrder.
  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum = acc[0];
    for (int32_t k = 0; k < ins; ++k) sum += x[k] * w[k];
    acc[0] = sum;
  }

  // The elements of one run, core/affine.h.
  template <int kShift, bool kClamp, int kStepA, int kStepB>
  static void affine(int32_t elems, const Affine& f, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
    const int32_t base = standing_part<kStepA, kStepB>(f, a, b) + (128 << kShift);
    v7m::affine<v7m::Saturate<kShift>, kClamp, kStepA, kStepB>(elems, f, base, out, a, b, y);
  }
};

}  // namespace v0_1
}  // namespace f8k
