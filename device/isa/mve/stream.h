// How the MVE matrix microkernels read weights, sums and scales: one stream, in the order of the loop. Shared by the
// kernels and by the compiler that packs them. Each begins with its number of words and its number of channels. K is
// padded with zero weights to a multiple of 16, channels with zero channels to a multiple of the block.
//
// Pixels (convolutions: four windows by a quad of channels, in two pairs). Per quad, first of channels 0 and 2, then of
// 1 and 3, which the narrowing of two vectors into one interleaves:
//   for each 16 k, from the last to the first: 16 weights of the first channel, 16 of the second; then words:
//   kernel_sum, multiplier, -shift of the first, and of the second.
// Columns (convolutions three columns wide whose windows stand side by side, of whole vectors of channels): the same,
// but for each row of the kernel and 16 channels three times 16 weights of the first channel, one for each column, then
// of the second.
// Rows (linear: one row by eight channels). After the header the multiplier and -shift of all channels, or two zeros
// where channels differ. Per block, in the order of channels 0 2 4 6 1 3 5 7, for the same reason: eight kernel sums;
// for each 16 k eight times 16 weights; then eight multipliers and eight -shifts, where channels differ. The first 16 k
// of a row are its first row_head(ins); the rest follow in whole vectors. Right shifts of 1 to 31: rounding adds half,
// less one for a negative accumulator.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline constexpr int32_t kPixels = 4;
inline constexpr int32_t kStripBytes = 2048;  // of scratch, at most, for the windows of a row
inline constexpr int32_t kSmallPiece = 4;     // bytes of a pixel of which a vector holds several
inline constexpr int32_t kPixelHeader = 2;
inline constexpr int32_t kQuad = 4;
inline constexpr int32_t kQuadOrder[kQuad] = {0, 2, 1, 3};
inline constexpr int32_t kRowHeader = 4;
inline constexpr int32_t kRowChannels = 8;
inline constexpr int32_t kRowOrder[kRowChannels] = {0, 2, 4, 6, 1, 3, 5, 7};

constexpr int32_t round_up(int32_t n, int32_t multiple) { return (n + multiple - 1) / multiple * multiple; }
constexpr int32_t vectors(int32_t ins) { return (ins + 15) / 16; }
constexpr int32_t stream_ins(int32_t ins) { return 16 * vectors(ins); }
constexpr int32_t pair_words(int32_t ins) { return stream_ins(ins) / 2 + 6; }
constexpr int32_t row_head(int32_t ins) { return ins - (stream_ins(ins) - 16); }
constexpr int32_t row_block_words(int32_t ins, bool uniform) { return 8 + stream_ins(ins) * 2 + (uniform ? 0 : 16); }

// Scratch of the pixels: for each chunk of 64 k the bytes of every window; then, unless channels are whole quads, a row
// of results for each pixel.
inline constexpr int32_t kChunk = 64;
constexpr int32_t place_in_windows(int32_t pixel, int32_t at) {
  return at / kChunk * (kPixels * kChunk) + pixel * kChunk + at % kChunk;
}
constexpr int32_t window_bytes(int32_t ins) { return kPixels * round_up(ins, kChunk); }

// Scratch of the columns: for each row of the kernel and 16 channels a plane, 16 bytes of each column that some windows
// see, side by side; then staging_bytes(). So many windows at once: more take scratch, fewer load more columns twice.
inline constexpr int32_t kColumnWindows = 32;
constexpr int32_t plane_bytes(int32_t windows) {
  return 16 * (round_up(windows < kColumnWindows ? windows : kColumnWindows, kPixels) + 2);
}
constexpr int32_t planes_bytes(int32_t ins, int32_t windows) { return ins / 48 * plane_bytes(windows); }
constexpr int32_t staging_bytes(int32_t outs) { return outs % kQuad == 0 ? 0 : kPixels * round_up(outs, kQuad); }

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
