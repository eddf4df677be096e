// Depthwise convolution for the DSP extension: two taps of four channels at a time. The stream holds, for each block of
// four channels: the block's first channel; four kernel sums, doubled; for each pair of taps four words, one a channel,
// (w[tap], w[tap + 1]) as int16, doubled; four times multiplier, C, shift (as in isa/dsp/stream.h). An odd tap pairs
// with weight 0. The last block may overlap the one before it, so that channels need not be a multiple of four.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace dsp {

constexpr int32_t depthwise_pairs(int32_t taps) { return (taps + 1) / 2; }
constexpr int32_t depthwise_block_words(int32_t taps) { return 1 + 4 + 4 * depthwise_pairs(taps) + 12; }
constexpr int32_t depthwise_blocks(int32_t channels) { return (channels + 3) / 4; }
inline constexpr int32_t kMinDepthwiseChannels = 4;

}  // namespace dsp
}  // namespace v0_1
}  // namespace f8k
