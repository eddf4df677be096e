// How the MVE matrix microkernels read weights, sums and scales: one stream, in the order of the loop. Shared by the
// kernels and by the compiler that packs them. Both formats start with their number of words.
//
// Pixels (convolutions: four windows by two channels at a time). Per pair of channels, bytes:
//   for each 16 k: 16 weights of the first channel, 16 of the second; then words: kernel_sum, multiplier, -shift of the
//   first, the same of the second, and the first's number. The last pair may overlap the one before it.
// Rows (linear: one row by eight channels). Per block, in the order of channels 0 2 4 6 1 3 5 7, which the narrowing of
// two vectors into one interleaves: eight kernel sums; for each 16 k eight times 16 weights; eight multipliers; eight
// -shifts; then the number of the block's first channel. The last block may overlap the one before it.
// Right shifts of 1 to 31: rounding adds half, less one for a negative accumulator.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline constexpr int32_t kPixels = 4;
inline constexpr int32_t kRowChannels = 8;
inline constexpr int32_t kRowOrder[kRowChannels] = {0, 2, 4, 6, 1, 3, 5, 7};

constexpr int32_t stream_ins(int32_t ins) { return (ins + 15) / 16 * 16; }
constexpr int32_t pair_words(int32_t ins) { return stream_ins(ins) / 2 + 7; }
constexpr int32_t row_block_words(int32_t ins) { return 8 + stream_ins(ins) * 2 + 17; }

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
