// The order in which a matrix microkernel reads its weights. Shared by the kernel and by the compiler that packs them.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

// Weights w[outs][ins] in blocks of `out_block` rows by `in_block` columns: blocks of one row group follow one another,
// columns last; inside a block, row by row. Missing rows and columns are zeros. {1, 1} is the plain row-major order.
struct WeightOrder {
  int32_t out_block;
  int32_t in_block;

  constexpr int64_t padded_ins(int64_t ins) const { return (ins + in_block - 1) / in_block * in_block; }
  constexpr int64_t padded_outs(int64_t outs) const { return (outs + out_block - 1) / out_block * out_block; }
  constexpr int64_t bytes(int64_t outs, int64_t ins) const { return padded_outs(outs) * padded_ins(ins); }

  // Byte of w[out][in].
  constexpr int64_t at(int64_t out, int64_t in, int64_t ins) const {
    return (out / out_block) * out_block * padded_ins(ins) + (in / in_block) * out_block * in_block +
           (out % out_block) * in_block + in % in_block;
  }
};

}  // namespace v0_1
}  // namespace f8k
