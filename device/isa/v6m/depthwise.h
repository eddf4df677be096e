// Depthwise convolution on ARMv6-M. A planar row is a plane of words for each of four channels, a word for each column:
// X = x[column + distance] * 2^16 + x[column], where `distance` is the columns between the windows of neighbouring
// results (1 where the loop for 3x3 kernels is not used). One multiplication by a weight is then a product for each of
// two results. The products of two neighbouring weights are added up before the halves are taken apart: exact unless
// both are -128, as |sum| <= 128 * 255 < 2^15.
// The stream has a record for each output channel, in words:
//   taps / 4 words      the weights, bytes in order, padded with zeros
//   kernel_sum - first, 5 or 7 words how to rescale
// in the order of use: for each block of four channels, for each j of the multiplier, its channels.
#pragma once

#include "isa/v6m/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace v6m {

inline constexpr int32_t kDepthwiseChannels = 4;
inline constexpr int32_t kMaxDistance = 2;

constexpr int32_t depthwise_weight_words(int32_t taps) { return (taps + 3) / 4; }
// Words before the first plane take what would belong to columns further left; those of the other planes lend the upper
// halves of the last words before them, which no result is made from.
constexpr int32_t planar_row_bytes(int32_t columns) { return 4 * (kMaxDistance + kDepthwiseChannels * columns); }
// Sums of a channel's output row, which are made two at a time.
constexpr int32_t depthwise_work_bytes(int32_t outputs) { return (outputs + 1) / 2 * 8; }

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
