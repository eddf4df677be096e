// packed8: how the DSP matrix microkernels read weights, sums and scales: one stream, in the order of the loop, the
// weights of two output channels in each halfword. Shared by the kernels and by the compiler that packs them.
//
//   H[k] = 256 * w_b[k] + w_a[k] as int16. SMLAD by H accumulates 256 * S_b + S_a, SMLAD by the low bytes S_a, so one
//   unpacking serves four multiplications; S_b = (accH - accL) >> 8 at the end.
// Exact when H fits int16, when |S_b + kernel_sum_b| < 2^23 (so that 256 times it fits int32) and |S_a + kernel_sum_a|
// < 2^30.
//
// First the number of words of this stream, and 1 if its weights are widened. Then, per pair of channels, in words:
//   kernel_sum_a, 256 * kernel_sum_b + kernel_sum_a                          what the accumulators start from
//   ins / 2 words: for each four k, (H[k0], H[k2]) and (H[k1], H[k3])        the order that SXTB16 unpacks bytes in
//   multiplier_a, C_a, place_a, multiplier_b, C_b, place_b
// C = 2^(shift - 1) + zero * 2^shift: the rounding and the zero point, added before the shift (docs/arithmetic.md 2).
// place = shift + (last pair ? 256 : 0) + 512 * channel: a shift by register reads eight bits, and place_b shifted
// right by nine leaves the channel and, as the carry, whether the stream ends.
//
// Widened: 2 * kernel_sum_a, 2 * kernel_sum_b; then for each four k (2 * w_a[k0], 2 * w_a[k2]), (2 * w_a[k1],
// 2 * w_a[k3]), and the same of b. Nothing to unpack or to take apart, for twice the bytes: what small matrices have,
// where few multiplications bear the work around them. Larger ones take fewer instructions so too, but more cycles, as
// there is twice as much to load.
//
// A linear's stream has two pairs side by side: both pairs' sums, then for each four k (H[k0], H[k2]) of the one and of
// the other and (H[k1], H[k3]) likewise, then both pairs' scales.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

inline constexpr int32_t kStreamPixels = 2;         // windows that the microkernel takes at a time, widened to int16
inline constexpr int32_t kStreamInBlock = 4;        // ins are padded to this with zero weights
inline constexpr int32_t kLinearInBlock = 8;        // and those of a linear to this
inline constexpr int32_t kStreamHead = 2;           // words before the pairs
inline constexpr int32_t kMaxWidenedWeights = 512;  // of a matrix whose weights are widened
inline constexpr int32_t kPairHead = 2;             // words before the weights of a pair
inline constexpr int32_t kPairTail = 6;             // and after them
inline constexpr int32_t kMinShift = 1;             // right shifts that C and the rounding by sign are exact for
inline constexpr int32_t kMaxShift = 22;            // |zero| * 2^22 + 2^21 + 2^30 < 2^31
inline constexpr int32_t kLastPair = 1 << 8;        // in a pair's place_b
inline constexpr int32_t kChannelShift = 9;         // of the channel in a place
inline constexpr int32_t kMaxOuts = 1 << 22;        // channels that a place has room for
inline constexpr int32_t kStripBytes = 1024;        // what the windows of a row may come from, where they have gaps
inline constexpr int32_t kMaxWidened = 312;         // ins of a linear that are widened to int16 once, in 624 bytes
inline constexpr int32_t kUnwidenedBlock = 48;      // those before them, unpacked for each four channels, come so many

constexpr int32_t round_up(int32_t n, int32_t block) { return (n + block - 1) / block * block; }
constexpr int32_t stream_ins(int32_t ins) { return round_up(ins, kStreamInBlock); }
constexpr int32_t linear_ins(int32_t ins) { return round_up(ins, kLinearInBlock); }

// The first `unwidened` inputs of a linear stay int8, as scratch holds kMaxWidened of them. Unpacking costs 5 more
// instructions for each 8 inputs and four channels, beside 27.
constexpr int32_t unwidened(int32_t ins) {
  return linear_ins(ins) <= kMaxWidened ? 0 : round_up(linear_ins(ins) - kMaxWidened, kUnwidenedBlock);
}

// Halfword of H[k] among the weights of a pair.
constexpr int32_t halfword_of(int32_t k) {
  constexpr int32_t kPlace[4] = {0, 2, 1, 3};
  return k / 4 * 4 + kPlace[k % 4];
}

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
