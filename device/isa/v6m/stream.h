// How the ARMv6-M matrix microkernels read weights, sums and scales: one stream, in the order of the loop. Shared by
// the kernels and by the compiler that packs them.
//
// Convolution, four pixels at a time. Two pixels travel in one word, X = p1 * 2^16 + p0, so that one multiplication by
// a weight is two products, each in its half. The products of four neighbouring weights are added up before the halves
// are taken apart: exact when their |w| add up to at most 255, as then |sum| <= 128 * 255 < 2^15. Where they would not,
// the largest become 0 and stand alone, before the others.
//
// First the number of words of this stream. Then, per channel, in words:
//   low, high      what the sums of X and of p1 start from: high = kernel_sum - first,
//                  low = high * (2^16 + 1) - 2^15 * (fours + weights alone) + weights alone
//                  so that the number of weights alone is the lowest 15 bits of low - high
//   for each weight alone: 8 * k * 2^8 + w
//   ins / 4 words  the weights, bytes in order, ins padded to 4 with zeros
//   5 or 7 words   how to rescale
//
// Linear, eight channels at a time. A word holds the weights of four channels for one k,
//   W = (d + 128) * 2^24 + (c + 128) * 2^16 + (b + 128) * 2^8 + a + 128
// and three sums of x times W, of W with the bytes of its halves swapped, and of its upper half hold the sums of all
// four (RowSums, docs/arithmetic.md): exact for sums of at most 127 * 2^16 in magnitude.
//
// Per eight channels, in words; the last channels may be nobody's:
//   6 words        the RowSums of kernel_sum - first of each four channels
//   2 * ins words  two for each k
//   8 times how to rescale
//
// Rescale (docs/arithmetic.md, "Requantization on ARMv6-M"), five words, in two of its forms seven:
//   range, multiplier_low, multiplier_high, offset, shift [, at_zero, offset_low]
// d = sum - first, as first is taken off the sum beforehand. Where d is not in 0..range (unsigned), the result is -128
// (d < 0) or 127. Else it is, in unsigned arithmetic but for the last shift, by bits 31 and 30 of shift:
//   direct  (neither) v = ((d * multiplier_low) >> 14) + d * multiplier_high
//           y = (v + offset) >> (shift & 255)
//           first is where results leave -128, whatever sums there are
//   narrow  (kNarrow) a second rounding depends on the sum's sign; at_zero = -first:
//           y = (((v + offset_low) >> 13) + offset + (d >= at_zero)) >> (shift & 255)
//   wide    (kWide) v = (d * (2^16 * multiplier_high + multiplier_low)) >> 16
//           y = (((v + offset_low) >> 15) + offset + (d >= at_zero)) >> (shift & 255)
// Bits 8 to 29 of shift, which a shift by register ignores, are for the compiler's own reader.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace v6m {

inline constexpr int32_t kStreamPixels = 4;
inline constexpr int32_t kStreamHead = 2;     // words before the weights of a channel
inline constexpr int32_t kStreamInBlock = 4;  // ins are padded to this with zero weights
inline constexpr int32_t kSummed = 4;         // products that are added before the halves are taken apart
inline constexpr int32_t kSummedLimit = 255;  // of the sum of their |weights|
inline constexpr int32_t kMaxAlone = (1 << 15) - 1;
inline constexpr int32_t kPixelWords = 2;  // of one k: pixels 0 and 1, pixels 2 and 3
inline constexpr int32_t kRowBlock = 8;    // channels of a linear at a time
inline constexpr int32_t kRowWords = 2;    // of their weights for one k
inline constexpr int32_t kRowSums = 6;     // words of what their sums start from
inline constexpr int32_t kMostRowSum = 127 << 16;
inline constexpr uint32_t kWide = 1u << 31;
inline constexpr uint32_t kNarrow = 1u << 30;

constexpr int32_t stream_ins(int32_t ins) { return (ins + kStreamInBlock - 1) / kStreamInBlock * kStreamInBlock; }
// Weights that stand alone, of the channel whose words begin here.
constexpr int32_t weights_alone(const int32_t* channel) {
  return static_cast<int32_t>((static_cast<uint32_t>(channel[0]) - static_cast<uint32_t>(channel[1])) & kMaxAlone);
}
// Of the Scale that begins here.
constexpr int32_t scale_words(const int32_t* scale) {
  return (static_cast<uint32_t>(scale[4]) & (kWide | kNarrow)) == 0 ? 5 : 7;
}

// The sums of four channels, modulo 2^32.
struct RowSums {
  uint32_t all;      // a + 2^8 b + 2^16 c + 2^24 d
  uint32_t swapped;  // b + 2^8 a + 2^16 d + 2^24 c
  uint32_t upper;    // c + 2^8 d
};

struct FourSums {
  int32_t of[4];
};

constexpr RowSums joined(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return {a + (b << 8) + (c << 16) + (d << 24), b + (a << 8) + (d << 16) + (c << 24), c + (d << 8)};
}

// Back, where none is above kMostRowSum in magnitude. `all` and `swapped` give a + 2^16 c and b + 2^16 d: the lower
// halves of a and b, and those of c + (a >> 16) and of d + (b >> 16). What these are more than `upper` is a number
// whose digits are of 8 bits with a sign: a >> 16, b >> 16, then multiples of 2^16 that c and d lack.
constexpr FourSums separate(const RowSums& sums) {
  const uint32_t ac = (sums.all - (sums.swapped << 8)) * 0x10001u;
  const uint32_t bd = sums.swapped - (ac << 8);
  const int32_t near_c = static_cast<int16_t>(ac >> 16);
  const int32_t near_d = static_cast<int16_t>(bd >> 16);
  const auto digits = static_cast<int32_t>(static_cast<uint32_t>(near_c + near_d * 256) - sums.upper);
  const int32_t a_high = static_cast<int8_t>(digits);
  const int32_t after_a = (digits - a_high) >> 8;
  const int32_t b_high = static_cast<int8_t>(after_a);
  const int32_t after_b = (after_a - b_high) >> 8;
  const int32_t c = near_c - a_high - static_cast<int8_t>(after_b) * 65536;
  return {{static_cast<int32_t>(ac & 0xffffu) + a_high * 65536, static_cast<int32_t>(bd & 0xffffu) + b_high * 65536, c,
           static_cast<int32_t>(sums.upper - static_cast<uint32_t>(c)) >> 8}};
}

struct Scale {
  uint32_t range, multiplier_low, multiplier_high;
  int32_t offset;
  uint32_t shift, at_zero, offset_low;  // the last two are 0 where they are not in the stream
};

}  // namespace v6m
}  // namespace v0_1
}  // namespace f8k
