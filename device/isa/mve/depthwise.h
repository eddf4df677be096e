// Depthwise convolution for MVE: eight channels at a time. A planar row has the block's eight bytes of each column. The
// stream holds for each block: kernel sums of the even, then of the odd channels; for each tap eight weights as bytes,
// in the order of the channels; multipliers and then -shifts, each of the even, then of the odd channels. Multiplying
// even and odd lanes apart widens them, and narrowing interleaves them again. Channels that the last block lacks have
// weights of 0. Blocks come in the order of use: for each eight channels one for each j of the multiplier.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline constexpr int32_t kDepthwiseChannels = 8;

constexpr int32_t depthwise_block_words(int32_t taps) { return 8 + 2 * taps + 16; }
// Channel that stands at `place` among the sums, multipliers and shifts.
constexpr int32_t depthwise_channel(int32_t place) { return place < 4 ? 2 * place : 2 * (place - 4) + 1; }
constexpr int32_t planar_row_bytes(int32_t columns) { return kDepthwiseChannels * columns; }

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
