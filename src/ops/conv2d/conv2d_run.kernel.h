// conv2d over weights that come as a stream, where all of a row's windows are bytes of one input row without gaps,
// inside the image: see conv2d.kernel.h for the formula. A few windows at a time are loaded before their results are
// stored.
#pragma once

#include "core/clamp_elements.h"
#include "core/relu.h"
#include "ops/conv2d/conv2d.kernel.h"

namespace f8k {
inline namespace v0_1 {

// buffer_at, aligned to 4: as in Conv2dStream.
template <class Isa, bool kRelu = false>
struct Conv2dRun {
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
    const int8_t* const from = x.row(memory, image, oy * s.stride_h - s.pad_top) - s.pad_left * s.ins;
    int8_t* const to = y.row(memory, image, oy);
    Kernels::gemm_run(stream, out, s.window_bytes, from, s.stride_w * s.ins, s.out_w, at<uint32_t>(memory, buffer_at),
                      to, s.outs);
    if (out.lo > -128 || out.hi < 127) clamp_elements<Isa>(s.out_w * s.outs, out.lo, out.hi, to, to);
  }
};

}  // namespace v0_1
}  // namespace f8k
