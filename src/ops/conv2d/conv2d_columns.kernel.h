// conv2d over weights that come as a stream, of windows three columns wide that stand side by side (core/columns.h):
// see conv2d.kernel.h for the formula. The columns of a few windows are loaded before their results are stored.
#pragma once

#include "core/clamp_elements.h"
#include "core/columns.h"
#include "core/relu.h"
#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// buffer_at, aligned to 4: the columns of a few windows as the Isa's microkernel reads them. kMaxRows: kernel_h or
// more.
template <class Isa, int32_t kMaxRows, bool kRelu = false>
struct Conv2dColumns {
  using Kernels = KernelsOf<Isa, kRelu>;

  const ConvShape& s;
  const Output& out;
  Rows x;
  const int32_t* stream;
  int32_t buffer_at;
  Rows y;

  template <class Memory>
  void run(Memory memory) const {
    all_rows(memory, s.batch, *this);
  }

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t oy) const {
    const int8_t* rows[kMaxRows];
    conv_rows(s, x, memory, image, oy, rows);
    int8_t* const to = y.row(memory, image, oy);
    Kernels::gemm_columns_row(stream, out, {rows, s.kernel_h, s.in_w, s.ins, s.pad_left, s.out_w, s.input_zero},
                              at<uint32_t>(memory, buffer_at), to);
    if (out.lo > -128 || out.hi < 127) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, to, to);
  }
};

}  // namespace v0_1
}  // namespace f8k
