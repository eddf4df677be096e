// add and sub: y = clamp(zy + R(+-((big - z) << 19) +- Rs((small - z) << 20))), docs/arithmetic.md "Elementwise".
// `big` is the operand of the larger scale. Its own rescale is by exactly 1/2, multiplier 2^30 and shift 0:
// ((d << 20) * 2^30 + 2^30) >> 31 = d << 19. The other's is by at most 1/2, so its shift is never to the left.
// |d| <= 255 < 2^8: 28 bits after the shift by 20, 27 after each rescale, 28 for the sum. int32 cannot overflow.
// y may be either operand where that one has y's size: each element is read before it is written.
#pragma once

#include "core/broadcast.h"
#include "core/requantize.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

struct Sum {
  int32_t big_zero;
  int32_t small_zero;
  int32_t small_multiplier;
  int32_t small_shift;  // <= 0
  int32_t multiplier;   // of the sum
  int32_t shift;
};

inline int32_t big_term(const Sum& s, int32_t x) { return (x - s.big_zero) * (1 << 19); }

template <class Isa>
inline int32_t small_term(const Sum& s, int32_t x) {
  return rounding_shift_right(Isa::doubling_high_mul((x - s.small_zero) * (1 << 20), s.small_multiplier),
                              -s.small_shift);
}

// Signs are 1 or -1; an operand of step 0 is one element for all. elems > 0.
template <class Isa, int kBigSign, int kSmallSign, int kBigStep, int kSmallStep>
inline void sum_elements(int32_t elems, const Sum& s, const Output& out, const int8_t* big, const int8_t* small,
                         int8_t* y) {
  int32_t b = big_term(s, *big);
  int32_t a = small_term<Isa>(s, *small);
  for (int32_t i = 0; i < elems; ++i) {
    if (kBigStep != 0) b = big_term(s, big[i]);
    if (kSmallStep != 0) a = small_term<Isa>(s, small[i]);
    y[i] = requantize<Isa>(kBigSign * b + kSmallSign * a, Rescale{s.multiplier, s.shift}, out);
  }
}

// A row at a time.
template <class Isa, int kBigSign, int kSmallSign, int kBigStep, int kSmallStep>
struct SumRows {
  int32_t elems;
  const Sum& s;
  const Output& out;
  Rows big;
  Rows small;
  Rows y;

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t i) const {
    sum_elements<Isa, kBigSign, kSmallSign, kBigStep, kSmallStep>(elems, s, out, big.row(memory, image, i),
                                                                  small.row(memory, image, i), y.row(memory, image, i));
  }
};

template <class Isa, int kBigSign, int kSmallSign, int kBigStep, int kSmallStep>
void sum_broadcast(const BroadcastShape& shape, const Sum& s, const Output& out, const int8_t* big, const int8_t* small,
                   int8_t* y) {
  for_each_run(shape, big, small, y, [&](const int8_t* b, const int8_t* a, int8_t* to) {
    sum_elements<Isa, kBigSign, kSmallSign, kBigStep, kSmallStep>(shape.run, s, out, b, a, to);
  });
}

}  // namespace v0_1
}  // namespace f8k
