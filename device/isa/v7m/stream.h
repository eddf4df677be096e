// How the ARMv7-M microkernels read weights, sums and scales: one stream, in the order of the loop. Shared by the
// kernels and by the compiler that packs them.
//
// SMLAL makes two multiplications at once where one factor holds two numbers, 2^24 apart: the 64-bit accumulator is
// then S_high * 2^24 + S_low. Both come out exactly while they stay within 24 bits with sign.
//
// Pixels (convolutions: up to six windows by one channel at a time). A word of the buffer holds the same k of two
// pixels, x_odd * 2^24 + (x_even + 128): a word's low byte has no sign, and the sum of the weights takes the 128 away
// again. First the number of words of this stream; then, per channel, in words:
//   kernel_sum * (2^24 + 1) - 128 * (sum of weights), 64 bits      what the accumulators start from
//   weights, one byte each, zeros up to a whole number of words
//   multiplier, C, shift                                           isa/v7m/scale.h
//
// Rows (linear: one row by four channels, a to d, at a time). A word of the stream holds two k of two channels:
//   bytes w_a[k] + 128, w_b[k + 1], w_a[k + 1] + 128, w_b[k]
// of which AND with 0xff0000ff leaves w_b[k] * 2^24 + (w_a[k] + 128), and the same of the word rotated by 16 bits k +
// 1; 128 times the sum of x is taken away again. First the number of words; then, per block of four channels, in words:
//   kernel_sum_a + kernel_sum_b * 2^24, kernel_sum_c + kernel_sum_d * 2^24, 64 bits each
//   for each four k: two words of a and b, two of c and d
//   four times multiplier, C, shift, channel
// A block that lacks channels has its last one more than once.
#pragma once

#include <stdint.h>

#include "isa/v7m/scale.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {

inline constexpr int32_t kStreamPixels = 6;  // windows that the microkernel takes at a time, at most
inline constexpr int32_t kHeadWords = 2;     // before a channel's weights; its scale comes after them

// |kernel_sum + sum of x * w|, at the end: what 24 bits with sign hold, and what fits 32 bits 256 times.
inline constexpr int32_t kMaxAccumulator = (1 << 23) - 1;

// Ins as the loop takes them, with zero weights.
constexpr int32_t stream_ins(int32_t ins) { return (ins + 3) & ~3; }
constexpr int32_t channel_words(int32_t ins) { return kHeadWords + stream_ins(ins) / 4 + kScaleWords; }

// Of so many ins windows are taken four at a time: six would need as much scratch as four of half as many again.
inline constexpr int32_t kManyIns = 153;
constexpr int32_t stream_pixels(int32_t ins) { return ins < kManyIns ? kStreamPixels : 4; }

// Buffer: for each two k, k and k + 1 of the first pair of pixels, then of the other pairs.
constexpr int32_t buffer_words(int32_t ins, int32_t pairs) { return pairs * stream_ins(ins); }
constexpr int32_t word_of(int32_t k, int32_t pair, int32_t pairs) { return (k & ~1) * pairs + pair * 2 + (k & 1); }

inline constexpr int32_t kRowChannels = 4;
inline constexpr uint32_t kRowMask = 0xff0000ffu;
inline constexpr int32_t kRowHeadWords = 4;
inline constexpr int32_t kRowScaleWords = 4;

constexpr int32_t row_block_words(int32_t ins) {
  return kRowHeadWords + stream_ins(ins) + kRowChannels * kRowScaleWords;
}

// The last ins of a row are widened to words ahead of the loop, as many as 608 bytes of scratch hold: more than the
// usual hidden layer has, and little beside the input where there are many.
inline constexpr int32_t kMaxWideIns = 152;
constexpr int32_t wide_ins(int32_t ins) { return stream_ins(ins) < kMaxWideIns ? stream_ins(ins) : kMaxWideIns; }

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
