// y = clamp((bias[k] + scale[k] * x) >> kShift), k along the constants' own shape. The compiler has proven for every k
// and every x that no sum leaves int32, added in this order, with -(1 << kShift) to 128 << kShift on top of bias.
// docs/arithmetic.md "Gains and shifts of constants". y may be x where x has y's size: each element is read before it is
// written, in ascending order.
#pragma once

#include "core/affine.h"
#include "core/broadcast.h"
#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

// One run. An operand of step 0 is one element for all. Without kClamp, out.lo is -128 and out.hi 127; out.zero is in
// bias. elems > 0.
template <class Isa, int kShift, bool kClamp, int kStepX, int kStepK>
inline void scale_bias_run(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale, const int32_t* bias,
                           int8_t* y) {
  if constexpr (kStepK == 0) {
    Isa::template affine<kShift, kClamp, kStepX, 0>(elems, Affine{*scale, 0, *bias}, out, x, x, y);
  } else {
    Isa::template affine_each<kShift, kClamp, kStepX>(elems, out, x, scale, bias, y);
  }
}

template <class Isa, int kShift, bool kClamp, int kStepX, int kStepK>
[[gnu::noinline]] void scale_bias_elements(int32_t elems, const Output& out, const int8_t* x, const int32_t* scale,
                                           const int32_t* bias, int8_t* y) {
  scale_bias_run<Isa, kShift, kClamp, kStepX, kStepK>(elems, out, x, scale, bias, y);
}

template <class Isa, int kShift, bool kClamp, int kStepX, int kStepK>
[[gnu::noinline]] void scale_bias_broadcast(const BroadcastShape& shape, const Output& out, const int8_t* x,
                                            const int32_t* scale, const int32_t* bias, int8_t* y) {
  for_each_run(shape, x, scale, y, [&](const int8_t* from, const int32_t* k, int8_t* to) {
    scale_bias_run<Isa, kShift, kClamp, kStepX, kStepK>(shape.run, out, from, k, bias + (k - scale), to);
  });
}

// A row at a time; row i of the constants is row_step * i elements behind their first.
template <class Isa, int kShift, bool kClamp, int kStepX, int kStepK>
struct ScaleBiasRows {
  const BroadcastShape& shape;  // of one row
  const Output& out;
  int32_t row_step;
  const int32_t* scale;
  const int32_t* bias;
  Rows x;
  Rows y;

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t i) const {
    scale_bias_broadcast<Isa, kShift, kClamp, kStepX, kStepK>(shape, out, x.row(memory, image, i),
                                                              scale + i * row_step, bias + i * row_step,
                                                              y.row(memory, image, i));
  }
};

}  // namespace v0_1
}  // namespace f8k
