// y[i] = clamp((f.c + f.a * a[i] + f.b * b[i]) >> kShift): sums of scaled operands, and one operand under other
// parameters. The compiler has found f and proven it for every pair of operands, and with it that no sum leaves int32,
// added in this order, with -(1 << kShift) to 128 << kShift on top of f.c. docs/arithmetic.md "Sums in one shift".
// y may be either operand where that one has y's size: each element is read before it is written, in ascending order.
#pragma once

#include <stdint.h>

#include "core/broadcast.h"
#include "core/requantize.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

struct Affine {
  int32_t a;
  int32_t b;
  int32_t c;
};

// The part of the sum that is the same for all elements of a run: an operand of step 0 is one element.
template <int kStepA, int kStepB>
inline int32_t standing_part(const Affine& f, const int8_t* a, const int8_t* b) {
  return f.c + (kStepA == 0 ? f.a * *a : 0) + (kStepB == 0 ? f.b * *b : 0);
}

// Without kClamp, out.lo is -128 and out.hi 127; out.zero is in f.c. elems > 0.
template <class Isa, int kShift, bool kClamp, int kStepA, int kStepB>
[[gnu::noinline]] void affine_elements(int32_t elems, const Affine& f, const Output& out, const int8_t* a,
                                       const int8_t* b, int8_t* y) {
  Isa::template affine<kShift, kClamp, kStepA, kStepB>(elems, f, out, a, b, y);
}

// A row at a time.
template <class Isa, int kShift, bool kClamp, int kStepA, int kStepB>
struct AffineRows {
  int32_t elems;
  const Affine& f;
  const Output& out;
  Rows a;
  Rows b;
  Rows y;

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t i) const {
    affine_elements<Isa, kShift, kClamp, kStepA, kStepB>(elems, f, out, a.row(memory, image, i),
                                                         b.row(memory, image, i), y.row(memory, image, i));
  }
};

template <class Isa, int kShift, bool kClamp, int kStepA, int kStepB>
void affine_broadcast(const BroadcastShape& shape, const Affine& f, const Output& out, const int8_t* a, const int8_t* b,
                      int8_t* y) {
  for_each_run(shape, a, b, y, [&](const int8_t* from_a, const int8_t* from_b, int8_t* to) {
    affine_elements<Isa, kShift, kClamp, kStepA, kStepB>(shape.run, f, out, from_a, from_b, to);
  });
}

}  // namespace v0_1
}  // namespace f8k
