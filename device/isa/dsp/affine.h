// Saturation for affine sums (isa/v7m/affine.h) in one instruction; the portable form needs another for its zero point.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

template <int kShift>
struct Saturate {
  static int32_t of(int32_t sum) {
    asm("ssat %0, #8, %0, asr %1" : "+r"(sum) : "i"(kShift));
    return sum;
  }
};

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
