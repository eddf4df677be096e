// ARMv8.1-M with the M-profile vector extension (Cortex-M55, M85): sixteen int8 lanes.
#pragma once

#include <arm_mve.h>

#include "isa/mve/order.h"
#include "isa/v7m/isa.h"

#if !defined(__ARM_FEATURE_MVE)
#error "these kernels need MVE: compile with -mcpu=cortex-m55 or cortex-m85"
#endif

namespace f8k {
inline namespace v0_1 {

struct Mve : V7m {
  static constexpr const char* kName = "mve";
  static constexpr WeightOrder kGemmOrder = mve::kGemmOrder;

  static void dot_rows(const int8_t* x, const int8_t* w, int32_t ins, int32_t* acc) {
    int32_t sum = acc[0];
    for (int32_t k = 0; k < ins; k += 16) {
      const mve_pred16_t lanes = vctp8q(static_cast<uint32_t>(ins - k));  // the first ins - k lanes, at most 16
      sum = vmladavaq_p_s8(sum, vldrbq_z_s8(x + k, lanes), vldrbq_z_s8(w + k, lanes), lanes);
    }
    acc[0] = sum;
  }
};

}  // namespace v0_1
}  // namespace f8k
