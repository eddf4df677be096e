// Depthwise convolution for ARMv7-M. A planar row is a plane of words for each of four channels; a word holds two
// columns, x[2j] + x[2j + 1] * 2^21. Two SMLAL make the three taps of two neighbouring outputs:
//   word j     * (w1 + w0 * 2^21)   = x0 w1 + (x0 w0 + x1 w1) * 2^21 + x1 w0 * 2^42         (x0 = x[2j], and so on)
//   word j + 1 * (w2 * 2^21)        =                  x2 w2 * 2^21 + x3 w2 * 2^42
// so the middle is output 2j, and the top, with the bottom of the next two words added, is output 2j + 1.
// The stream has a record for each output channel, in words:
//   for a 3x3 kernel without gaps: w1 + w0 * 2^21 and w2 * 2^21 of each row; for others: one weight a byte, row by row,
//   zeros up to a whole number of words
//   kernel_sum; multiplier, C, shift (isa/v7m/scale.h)
// in the order of use: for each block of four channels, for each j of the multiplier, its channels.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace v7m {

inline constexpr int32_t kDepthwiseChannels = 4;
inline constexpr int32_t kColumnBits = 21;               // from a word's first column to its second
inline constexpr int32_t kMaxDepthwise = (1 << 20) - 1;  // |accumulator|: what 21 bits with sign hold

constexpr bool is_3x3(int32_t kernel_h, int32_t kernel_w, int32_t dilation) {
  return kernel_h == 3 && kernel_w == 3 && dilation == 1;
}
constexpr int32_t depthwise_weight_words(int32_t kernel_h, int32_t kernel_w, int32_t dilation) {
  return is_3x3(kernel_h, kernel_w, dilation) ? 6 : (kernel_h * kernel_w + 3) / 4;
}
inline constexpr int32_t kDepthwiseTail = 4;  // words behind the weights

// The two ways (PlanarShape::way): any kernel, or a loop for 3x3 at a stride of 1 or 2.
inline constexpr int32_t kAnyKernel = 0;
inline constexpr int32_t k3x3 = 1;

// w0, w1, w2 of each row from a record's words.
inline void read_taps_3x3(const int32_t* words, int8_t* w) {
  for (int32_t ky = 0; ky < 3; ++ky, words += 2, w += 3) {
    w[1] = static_cast<int8_t>(words[0] & 0xff);
    w[0] = static_cast<int8_t>((words[0] - w[1]) >> kColumnBits);
    w[2] = static_cast<int8_t>(words[1] >> kColumnBits);
  }
}

constexpr int32_t plane_words(int32_t columns) { return (columns + 1) / 2; }
constexpr int32_t planar_row_bytes(int32_t columns) { return kDepthwiseChannels * plane_words(columns) * 4; }
// Accumulators of a channel's output row, 2^11 times. The loop makes an odd output and the even one after it, so it
// begins with output -1.
constexpr int32_t depthwise_work_words(int32_t outputs) { return outputs + 1; }

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
