// y[i] = clamp((offset + high * p + ((low * p) >> 14) - (p < 0 ? below : 0)) >> kShift),  p = (a - a_zero) * (b -
// b_zero): products, rescaled. The compiler has proven it for every product there can be, and with it that no sum
// leaves int32, added in this order, with -(1 << kShift) to 128 << kShift on top of offset. |p| <= 255^2 < 2^16, low <
// 2^14. docs/arithmetic.md "Products in one shift". y may be either operand where that one has y's size.
#pragma once

#include <stdint.h>

#include "core/broadcast.h"
#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct Product {
  int32_t a_zero;
  int32_t b_zero;
  int32_t high;
  int32_t low;
  int32_t offset;
  int32_t below;
};

// An operand of step 0 is one element for all. Without kClamp, out.lo is -128 and out.hi 127; out.zero is in offset.
template <class Isa, int kShift, bool kClamp, int kStepA, int kStepB>
[[gnu::noinline]] void product_elements(int32_t elems, const Product& f, const Output& out, const int8_t* a,
                                        const int8_t* b, int8_t* y) {
  Isa::template product<kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
}

template <class Isa, int kShift, bool kClamp, int kStepA, int kStepB>
void product_broadcast(const BroadcastShape& shape, const Product& f, const Output& out, const int8_t* a,
                       const int8_t* b, int8_t* y) {
  for_each_run(shape, a, b, y, [&](const int8_t* from_a, const int8_t* from_b, int8_t* to) {
    product_elements<Isa, kShift, kClamp, kStepA, kStepB>(shape.run, f, out, from_a, from_b, to);
  });
}

}  // namespace v0_1
}  // namespace f8k
