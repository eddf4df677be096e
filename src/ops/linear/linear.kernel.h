// y[b][o] = clamp(zero + R(sum_k x[b][k] * w[o][k] + kernel_sum[o])),  docs/arithmetic.md section 3.
// kernel_sum already holds the bias and the input's zero point, so no ISA needs either: there is no input offset to
// forget. No scratch and no state: the accumulators of one row group live in registers.
#pragma once

#include "core/requantize.h"

namespace f8k {
inline namespace v0_1 {

struct LinearShape {
  int32_t batch;  // rows of x: the product of all leading dimensions
  int32_t ins;
  int32_t outs;
};

// x [batch][ins], y [batch][outs] row-major int8; w in Isa::kGemmOrder; kernel_sum [outs];
// rescales [outs] when kPerChannel, else one. x and y must not overlap.
template <class Isa, bool kPerChannel>
void linear(const LinearShape& shape, const Output& out, const int8_t* x, const int8_t* w, const int32_t* kernel_sum,
            const Rescale* rescales, int8_t* y) {
  constexpr int32_t kRows = Isa::kGemmOrder.out_block;
  const int32_t group_bytes = static_cast<int32_t>(Isa::kGemmOrder.bytes(kRows, shape.ins));
  for (int32_t b = 0; b < shape.batch; ++b, x += shape.ins, y += shape.outs) {
    const int8_t* group = w;
    for (int32_t o = 0; o < shape.outs; o += kRows, group += group_bytes) {
      const int32_t rows = shape.outs - o < kRows ? shape.outs - o : kRows;
      int32_t acc[kRows];
      for (int32_t j = 0; j < kRows; ++j) acc[j] = j < rows ? kernel_sum[o + j] : 0;
      Isa::dot_rows(x, group, shape.ins, acc);
      for (int32_t j = 0; j < rows; ++j) y[o + j] = requantize<Isa>(acc[j], rescales[kPerChannel ? o + j : 0], out);
    }
  }
}

}  // namespace v0_1
}  // namespace f8k
