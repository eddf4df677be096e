// softmax along one dimension: y = clamp(zy + round(T[max - x] / (S * sy))),  T[d] ~ exp(-sx * d),  S = sum of T.
// One division for each row, none for each element: 1 / (S * sy) becomes a Rescale. docs/arithmetic.md "Softmax".
// A first pass finds the maximum, a second the sum, a third writes: y may be x.
#pragma once

#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct Softmax {
  int32_t outer;  // x[outer][elems][inner], along elems
  int32_t elems;
  int32_t inner;
  int32_t entries;     // of the table; beyond it exp(-sx * d) counts as 0
  int32_t multiplier;  // 1 / sy as a Rescale
  int32_t shift;
};

// 1 / (sum * sy) for 0 < sum < 2^32. With sum = u * 2^-up, 2^31 <= u < 2^32, and h = u / 2^16 to the nearest,
// 2^15 <= h <= 2^16:   1 / sum ~ q * 2^(up - 48),   q = floor((2^32 - 1) / h),   2^16 - 1 <= q < 2^17,
// so that q << 14 fits a multiplier. The relative error is below 2^-15, of at most 255 steps: 0.008 steps.
template <class Isa>
inline Rescale softmax_rescale(uint32_t sum, const Softmax& s) {
  int32_t up = 0;
  for (; (sum & 0x80000000u) == 0; sum <<= 1) ++up;
  const uint32_t h = ((sum >> 15) + 1u) >> 1;
  const uint32_t q = Isa::reciprocal(h);
  return {Isa::doubling_high_mul(static_cast<int32_t>(q << 14), s.multiplier), up + s.shift - 31};
}

template <class Exp>
inline int32_t softmax_exp(const Exp* exps, int32_t entries, int32_t d) {
  return d < entries ? exps[d] : 0;
}

// exps: int16_t or int32_t; the sum of any `elems` of them is below 2^32.
template <class Isa, class Exp>
void softmax_row(const Softmax& s, const Output& out, const int8_t* x, const Exp* exps, int8_t* y) {
  const int32_t bytes = s.elems * s.inner;
  int32_t max = -128;
  for (int32_t i = 0; i < bytes; i += s.inner) max = x[i] > max ? x[i] : max;
  uint32_t sum = 0;
  for (int32_t i = 0; i < bytes; i += s.inner) sum += static_cast<uint32_t>(softmax_exp(exps, s.entries, max - x[i]));
  const Rescale r = softmax_rescale<Isa>(sum, s);
  for (int32_t i = 0; i < bytes; i += s.inner) y[i] = requantize<Isa>(softmax_exp(exps, s.entries, max - x[i]), r, out);
}

template <class Isa, class Exp>
void softmax(const Softmax& s, const Output& out, const int8_t* x, const Exp* exps, int8_t* y) {
  const int32_t block = s.elems * s.inner;
  for (int32_t o = 0; o < s.outer; ++o, x += block, y += block)
    for (int32_t i = 0; i < s.inner; ++i) softmax_row<Isa>(s, out, x + i, exps, y + i);
}

}  // namespace v0_1
}  // namespace f8k
