// Depthwise convolution for MVE: eight channels at a time. The stream holds, for each block of eight channels: the
// first one's number; kernel sums of the even, then of the odd channels; for each tap eight weights as bytes, in the
// order of the channels; multipliers and then -shifts, each of the even, then of the odd channels. Multiplying even and
// odd lanes apart widens them, and narrowing interleaves them again. The last block may overlap the one before it.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline constexpr int32_t kDepthwiseChannels = 8;

constexpr int32_t depthwise_block_words(int32_t taps) { return 1 + 8 + 2 * taps + 16; }
constexpr int32_t depthwise_blocks(int32_t channels) { return (channels + 7) / 8; }
// Channel that stands at `place` among the sums, multipliers and shifts.
constexpr int32_t depthwise_channel(int32_t place) { return place < 4 ? 2 * place : 2 * (place - 4) + 1; }

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
