// packed8: how the DSP matrix microkernels read weights, sums and scales: one stream, in the order of the loop, the
// weights of two output channels in each halfword. Shared by the kernels and by the compiler that packs them.
//
//   H[k] = 256 * w_b[k] + w_a[k] as int16. SMLAD by H accumulates 256 * S_b + S_a, SMLAD by the low bytes S_a, so one
//   unpacking serves four multiplications; S_b = (accH - accL) >> 8 at the end.
// Exact when H fits int16, when |S_b + kernel_sum_b| < 2^23 (so that 256 times it fits int32) and |S_a + kernel_sum_a|
// < 2^30.
//
// First the number of words of this stream. Then, per pair of channels, in words:
//   kernel_sum_a, 256 * kernel_sum_b + kernel_sum_a                          what the accumulators start from
//   ins / 2 words: for each four k, (H[k0], H[k2]) and (H[k1], H[k3])        the order that SXTB16 unpacks bytes in
//   multiplier_a, C_a, shift_a, channel_a, multiplier_b, C_b, shift_b, channel_b
// C = 2^(shift - 1) + zero * 2^shift: the rounding and the zero point, added before the shift (docs/arithmetic.md 2).
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

inline constexpr int32_t kStreamPixels = 2;   // windows that the microkernel takes at a time, widened to int16
inline constexpr int32_t kStreamHead = 2;     // words before the weights of a pair
inline constexpr int32_t kStreamTail = 8;     // and after them
inline constexpr int32_t kStreamInBlock = 8;  // ins are padded to this with zero weights
inline constexpr int32_t kMinShift = 1;       // right shifts that C and the rounding by sign are exact for
inline constexpr int32_t kMaxShift = 22;      // |zero| * 2^22 + 2^21 + 2^30 < 2^31

constexpr int32_t stream_ins(int32_t ins) { return (ins + kStreamInBlock - 1) / kStreamInBlock * kStreamInBlock; }
constexpr int32_t pair_words(int32_t ins) { return kStreamHead + stream_ins(ins) / 2 + kStreamTail; }

// Halfword of H[k] among the weights of a pair.
constexpr int32_t halfword_of(int32_t k) {
  constexpr int32_t kPlace[4] = {0, 2, 1, 3};
  return k / 4 * 4 + kPlace[k % 4];
}

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
