// y = clamp(zy + R((a - za) * (b - zb))),  R = sa * sb / sy, docs/arithmetic.md "Elementwise".
// |x - z| <= 255, so |product| <= 65025 < 2^16. y may be either operand where that one has y's size.
#pragma once

#include "core/broadcast.h"
#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct Mul {
  int32_t a_zero;
  int32_t b_zero;
  int32_t multiplier;
  int32_t shift;
};

// An operand of step 0 is one element for all. elems > 0.
template <class Isa, int kStepA, int kStepB>
inline void mul_elements(int32_t elems, const Mul& m, const Output& out, const int8_t* a, const int8_t* b, int8_t* y) {
  int32_t left = *a - m.a_zero;
  int32_t right = *b - m.b_zero;
  for (int32_t i = 0; i < elems; ++i) {
    if (kStepA != 0) left = a[i] - m.a_zero;
    if (kStepB != 0) right = b[i] - m.b_zero;
    y[i] = requantize<Isa>(left * right, Rescale{m.multiplier, m.shift}, out);
  }
}

template <class Isa, int kStepA, int kStepB>
void mul_broadcast(const BroadcastShape& shape, const Mul& m, const Output& out, const int8_t* a, const int8_t* b,
                   int8_t* y) {
  for_each_run(shape, a, b, y, [&](const int8_t* from_a, const int8_t* from_b, int8_t* to) {
    mul_elements<Isa, kStepA, kStepB>(shape.run, m, out, from_a, from_b, to);
  });
}

}  // namespace v0_1
}  // namespace f8k
