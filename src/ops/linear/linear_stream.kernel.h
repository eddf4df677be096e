// linear over weights that come as a stream with sums and scales inside (the Isa's own order): see linear.kernel.h for
// the formula. Rows of x are the pixels of the Isa's matrix microkernel.
#pragma once

#include "core/clamp_elements.h"
#include "ops/linear/linear.kernel.h"

namespace f8k {
inline namespace v0_1 {

// scratch, aligned to 4: stream_ins(ins) words (4 bytes) for each pair of rows. kClamp: out.lo, out.hi are not all of int8.
template <class Isa, bool kClamp>
void linear_stream(const LinearShape& shape, const Output& out, const int8_t* x, const int32_t* stream, int8_t* scratch,
                   int8_t* y) {
  uint32_t* buffer = reinterpret_cast<uint32_t*>(scratch);
  for (int32_t b = 0; b < shape.batch;) {
    const int32_t rows = shape.batch - b < Isa::kStreamPixels ? shape.batch - b : Isa::kStreamPixels;
    int8_t* results[Isa::kStreamPixels];
    for (int32_t r = 0; r < rows; ++r) {
      Isa::load(x + (b + r) * shape.ins, shape.ins, 0, r, rows, buffer);
      results[r] = y + (b + r) * shape.outs;
    }
    Isa::gemm(stream, shape.ins, rows, buffer, results);
    b += rows;
  }
  if (kClamp) clamp_elements<Isa>(shape.batch * shape.outs, out.lo, out.hi, y, y);
}

}  // namespace v0_1
}  // namespace f8k
