// Depthwise convolution for MVE, in one of two ways.
//
// Patches: kernels up to 3x3 whose columns are neighbours, one or two columns a step. A planar row has for each four
// columns, for each channel of the block, a word of four columns. For one channel four such rows are interleaved into
// words of one column by four rows, so that 16 bytes from any column on are a patch of 4x4, and VMLADAV by a kernel
// in one of its corners is an output. Where rows are neighbours too, two output rows are made together. Pixels begin at
// a word, a few columns of padding late where padding is no multiple of four. The stream has a record of eight words
// for each output channel: 0, three words of one kernel column each (a byte for each row, zeros beyond the kernel), 0,
// kernel sum, multiplier, -shift.
//
// Lanes: any other kernel, eight channels at a time. A planar row has the block's eight bytes of each column. The
// stream holds for each block: kernel sums of the even, then of the odd channels; for each tap eight weights as bytes,
// in the order of the channels; multipliers and then -shifts, each of the even, then of the odd channels. Multiplying
// even and odd lanes apart widens them, and narrowing interleaves them again. Channels that the last block lacks have
// weights of 0.
//
// Blocks come in the order of use: for each block of channels one for each j of the multiplier.
#pragma once

#include <stdint.h>

#include "isa/mve/stream.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {

// The two ways (PlanarShape::way).
inline constexpr int32_t kLaneByLane = 0;
inline constexpr int32_t kPatches = 1;

// What decides how a depthwise convolution is done. stride, dilation: of columns. A unit of eight results is stored by
// offsets of 16 bits.
constexpr bool makes_patches(int32_t kernel_h, int32_t kernel_w, int32_t stride, int32_t dilation, int32_t pixel_out) {
  return kernel_h <= 3 && kernel_w <= 3 && stride <= 2 && (dilation == 1 || kernel_w == 1) && pixel_out <= 0xffff / 7;
}
constexpr bool makes_pairs(bool patches, int32_t stride, int32_t pixel_out, int32_t row_out) {
  return patches && stride == 1 && row_out <= 0xffff - 3 * pixel_out;
}
// A wide row costs scratch, a narrow one time for each block.
constexpr int32_t depthwise_channels(bool patches, int32_t columns) { return patches && columns <= 16 ? 16 : 8; }

// Patches: columns before the first, so that pixels behind `left` columns of padding begin at a word.
constexpr int32_t columns_before(int32_t left) { return -left & 3; }

// Planar rows and the row of words are read 16 columns at a time; up to 3 lie before the first. 32: what the
// interleaving of the last four columns of eight channels writes beyond them. 8: columns that patches beyond the last
// result read. The loop's arguments lie before the row of words: they would take much of the stack.
constexpr int32_t planar_row_bytes(int32_t columns) {
  return round_up(columns + 3, 16) * depthwise_channels(true, columns) + 32;
}
inline constexpr int32_t kPatchArgumentBytes = 104;
constexpr int32_t depthwise_work_bytes(int32_t columns) {
  return kPatchArgumentBytes + 4 * (round_up(columns + 3, 16) + 8);
}
inline constexpr int32_t kPatchWords = 8;

// Lanes.
inline constexpr int32_t kLanes = 8;
constexpr int32_t lanes_block_words(int32_t taps) { return 8 + 2 * taps + 16; }
// Channel that stands at `place` among the sums, multipliers and shifts.
constexpr int32_t lanes_channel(int32_t place) { return place < 4 ? 2 * place : 2 * (place - 4) + 1; }

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
