// linear over weights that come as a stream with sums and scales inside (the Isa's own order): see linear.kernel.h for
// the formula. Rows of x are the pixels of the Isa's matrix microkernel.
#pragma once

#include "core/clamp_elements.h"
#include "ops/linear/linear.kernel.h"

namespace f8k {
inline namespace v0_1 {

// scratch, aligned to 4: what Isa::stream_rows asks for. kClamp: out.lo, out.hi are not all of int8.
template <class Isa, bool kClamp>
void linear_stream(const LinearShape& shape, const Output& out, const int8_t* x, const int32_t* stream, int8_t* scratch,
                   int8_t* y) {
  for (int32_t b = 0; b < shape.batch;) {
    const int32_t rows = shape.batch - b < Isa::kStreamRows ? shape.batch - b : Isa::kStreamRows;
    Isa::stream_rows(stream, out, x + b * shape.ins, shape.ins, shape.outs, rows, scratch, y + b * shape.outs);
    b += rows;
  }
  if (kClamp) clamp_elements<Isa>(shape.batch * shape.outs, out.lo, out.hi, y, y);
}

}  // namespace v0_1
}  // namespace f8k
