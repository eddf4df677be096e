// Depthwise convolution for the DSP extension. A planar row is a plane of int16 for each of four channels; two columns
// meet two weights in one SMLAD. A block of fewer channels has the last planes. The stream has a record for each output
// channel, in words:
//   for each row of the kernel: pairs of weights (w[kx], w[kx + 1]) as int16, doubled; an odd one pairs with 0, and so
//   does every weight of a kernel with gaps between its columns. A 3x3 kernel without gaps: (w0, w1), (w1, w2)
//   kernel_sum, doubled; C; multiplier; shift (as in isa/dsp/stream.h)
// in the order of use: for each block of four channels, for each j of the multiplier, its channels.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

inline constexpr int32_t kDepthwiseChannels = 4;
inline constexpr int32_t kDepthwiseTail = 4;  // words of a record behind the weights

inline constexpr int32_t kRecord3x3 = 3 * 2 + kDepthwiseTail;

constexpr bool is_3x3(int32_t kernel_h, int32_t kernel_w, int32_t dilation) {
  return kernel_h == 3 && kernel_w == 3 && dilation == 1;
}
constexpr int32_t depthwise_pairs(int32_t kernel_w, int32_t dilation) {
  return dilation == 1 ? (kernel_w + 1) / 2 : kernel_w;
}
constexpr int32_t plane_bytes(int32_t columns) { return ((columns + 1) >> 1) * 4; }
constexpr int32_t planar_row_bytes(int32_t columns) { return kDepthwiseChannels * plane_bytes(columns); }

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
