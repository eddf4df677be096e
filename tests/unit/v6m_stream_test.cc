// The rescales that the ARMv6-M streams hold, against the definition, and the proofs of those streams at their limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "target/stream.h"
#include "target/v6m/v6m_scale.h"

namespace fold8::target {
namespace {

using f8k::v6m::kNarrow;
using f8k::v6m::kWide;

// Sums where the result may change: next to each step, the ends, and some between.
std::vector<int64_t> telling_sums(const Requantization& wanted) {
  std::vector<int64_t> sums = {wanted.least, wanted.most};
  for (int level = -128; level <= 127; ++level) {
    int64_t from = wanted.least;
    int64_t to = wanted.most;
    while (from < to) {
      const int64_t middle = from + (to - from) / 2;
      if (wanted(middle) >= level) {
        to = middle;
      } else {
        from = middle + 1;
      }
    }
    for (int64_t near = from - 2; near <= from + 2; ++near)
      if (near >= wanted.least && near <= wanted.most) sums.push_back(near);
  }
  for (int64_t i = 1; i < 100; ++i) sums.push_back(wanted.least + (wanted.most - wanted.least) / 100 * i);
  return sums;
}

void expect_exact(const Requantization& wanted, const ScaleOfSums& scale) {
  const Requantization again = requantization_of(scale, wanted);
  EXPECT_EQ(first_of(scale.scale), scale.first);
  EXPECT_EQ(again.zero, wanted.zero);
  for (int64_t sum : telling_sums(wanted)) {
    ASSERT_EQ(scale(sum), wanted(sum)) << sum << " * " << wanted.rescale.multiplier << " * 2^" << wanted.rescale.shift;
    ASSERT_EQ(again(sum), wanted(sum)) << sum;
  }
}

Requantization requantization(int32_t multiplier, int32_t shift, int32_t zero, int64_t magnitude) {
  return {{multiplier, shift}, zero, -magnitude, magnitude};
}

TEST(V6mScale, IsExactForEveryShiftAndZero) {
  std::mt19937 random(1);
  for (int shift = -31; shift <= 7; ++shift)
    for (int32_t zero : {-128, -127, -1, 0, 5, 127})
      for (int64_t magnitude : {int64_t{1000}, int64_t{200'000}, int64_t{100'000'000}}) {
        const auto multiplier = static_cast<int32_t>((1u << 30) + random() % (1u << 30));
        const Requantization wanted = requantization(multiplier, shift, zero, magnitude);
        const auto scale = find_scale(wanted);
        if (shift >= -22) {
          ASSERT_TRUE(scale) << multiplier << " * 2^" << shift << " + " << zero << ", sums to " << magnitude;
        }
        if (scale) expect_exact(wanted, *scale);
      }
}

TEST(V6mScale, IsExactForMultipliersAtTheirEnds) {
  for (int shift = -14; shift <= 2; ++shift)
    for (int32_t multiplier : {1 << 30, (1 << 30) + 1, 3 << 29, INT32_MAX - 1, INT32_MAX}) {
      const Requantization wanted = requantization(multiplier, shift, 3, 5'000'000);
      const auto scale = find_scale(wanted);
      ASSERT_TRUE(scale) << multiplier << " * 2^" << shift;
      expect_exact(wanted, *scale);
    }
}

// The sums that a bias of 2^28 or more leaves: all on one side of 0, most of them saturated.
TEST(V6mScale, IsExactFarFromZero) {
  for (int64_t bias : {int64_t{1} << 28, -(int64_t{1} << 28), int64_t{2147000000}, int64_t{-2147000000}})
    for (int shift : {-31, -27, -23, -22, -21, -12, 0, 7}) {
      const Requantization wanted{{1'518'500'250, shift}, 7, bias - 30'000, bias + 30'000};
      if (const auto scale = find_scale(wanted)) expect_exact(wanted, *scale);
    }
}

TEST(V6mScale, MultiplierZeroGivesTheZeroPoint) {
  const Requantization wanted = requantization(0, 0, 42, INT32_MAX / 2);
  const auto scale = find_scale(wanted);
  ASSERT_TRUE(scale);
  expect_exact(wanted, *scale);
}

// One rounding is enough where all sums that are not saturated are positive; shift 11 is the last that fits 32 bits.
// The sums begin where results leave -128, if they go down to there. A product of two parts fits 32 bits up to a range
// of about 2^18 sums.
TEST(V6mScale, TakesTheCheapestFormThatFits) {
  const auto form = [](const Requantization& wanted) {
    return find_scale(wanted).value().scale.shift & (kNarrow | kWide);
  };
  EXPECT_EQ(form(requantization(1'500'000'000, -8, -128, 1'000'000)), 0u);
  EXPECT_EQ(form(requantization(1'500'000'000, -8, 0, 1'000'000)), kNarrow);
  EXPECT_EQ(form({{1'500'000'000, -11}, -128, 0, 100'000}), 0u);
  EXPECT_EQ(form({{1'500'000'000, -12}, -128, 0, 100'000}), kNarrow);
  EXPECT_EQ(form({{1'500'000'000, -8}, -128, 183, 100'000}), 0u);
  EXPECT_EQ(form({{1'500'000'000, -8}, -128, 184, 100'000}), kNarrow);
  EXPECT_EQ(form({{1'500'000'000, -8}, -128, -100'000, 100}), kNarrow);
  EXPECT_EQ(form(requantization(1'500'000'000, -16, 0, 100'000'000)), kWide);
}

TEST(V6mScale, RefusesSumsThatLeave31Bits) {
  EXPECT_TRUE(find_scale({{1'500'000'000, -22}, 0, 0, INT32_MAX}));
  EXPECT_FALSE(find_scale({{1'500'000'000, -22}, 0, -1, INT32_MAX}));
}

// ---- proofs of the streams

Matrix matrix(std::vector<int8_t> weights) {
  const auto ins = static_cast<int64_t>(weights.size());
  return {1, ins, std::move(weights), {100}, {{1 << 30, -6}}, 0};
}

const StreamFormat& streams() { return *stream_format("v6m"); }

TEST(V6mStream, WeightsWhoseSumLeaves16BitsStandAlone) {
  const auto words = [](std::vector<int8_t> weights) {
    return streams().pack(matrix(std::move(weights))).words.size();
  };
  const size_t none_alone = words({1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(words({127, -127, 1, 0, -128, 127, 0, 0}), none_alone);
  EXPECT_EQ(words({127, -127, 1, 1, -128, 127, 0, 0}), none_alone + 1);
  EXPECT_EQ(words({127, -127, 1, 0, -128, -128, 0, 0}), none_alone + 1);
  EXPECT_EQ(words({127, 127, 127, 127, 0, 0, 0, 0}), none_alone + 2);
  EXPECT_EQ(words({-128, -128, -128, -128, 0, 0, 0, 0}), none_alone + 3);
  EXPECT_EQ(words({0, 0, 0, 127, 127, 127, 0, 0}), none_alone);
}

TEST(V6mStream, GivesBackWhatItHolds) {
  for (std::vector<int8_t> weights : {std::vector<int8_t>{-128, -128, 127, 5, 6}, std::vector<int8_t>(9, 127)}) {
    const Matrix m = matrix(weights);
    EXPECT_EQ(streams().unpack(streams().pack(m).words.data(), 1, m.ins).weights, m.weights);
    EXPECT_EQ(streams().unpack_rows(streams().pack_rows(m).words.data(), 1, m.ins).weights, m.weights);
    EXPECT_EQ(streams().unpack(streams().pack(m).words.data(), 1, m.ins).sums, m.sums);
    EXPECT_EQ(streams().unpack_rows(streams().pack_rows(m).words.data(), 1, m.ins).sums, m.sums);
  }
}

TEST(V6mStream, FourSumsComeApart) {
  const int32_t kMost = f8k::v6m::kMostRowSum;
  const std::vector<int32_t> sums = {-kMost, 1 - kMost, -65536 * 2, -65537, -65536, -32769,    -32768,    -1,   0,
                                     1,      32767,     32768,      65535,  65536,  65536 * 3, kMost - 1, kMost};
  const auto word = [](int32_t sum) { return static_cast<uint32_t>(sum); };
  for (int32_t a : sums)
    for (int32_t b : sums)
      for (int32_t c : sums)
        for (int32_t d : sums) {
          const auto [of] = f8k::v6m::separate(f8k::v6m::joined(word(a), word(b), word(c), word(d)));
          ASSERT_TRUE(of[0] == a && of[1] == b && of[2] == c && of[3] == d) << a << " " << b << " " << c << " " << d;
        }
}

// Results by 2^-7: the first sum that is not saturated is -16319.
TEST(V6mStream, SumsOfRowsHave23Bits) {
  const auto why_not = [](int8_t weight, int32_t start) {
    Matrix m = matrix(std::vector<int8_t>(512, weight));
    m.sums = {start};
    return streams().pack_rows(m).why_not;
  };
  const int32_t highest = 512 * 127 * 127;  // and lowest, without the start
  const int32_t lowest = -512 * 127 * 128;
  const int32_t kMost = f8k::v6m::kMostRowSum;
  const std::string why = "sums of channel 0 can be more than 127 * 2^16 away from the first that is not saturated";
  EXPECT_EQ(why_not(127, kMost - 16319 - highest), "");
  EXPECT_EQ(why_not(127, kMost - 16319 - highest + 1), why);
  EXPECT_EQ(why_not(127, -kMost - 16319 - lowest), "");
  EXPECT_EQ(why_not(127, -kMost - 16319 - lowest - 1), why);
}

TEST(V6mStream, NeighboursOfADepthwiseKernelAreNotBothMinus128) {
  const DepthwiseKernel kernel{.channels = 1, .height = 2, .width = 2};
  EXPECT_EQ(streams().pack_depthwise(matrix({-128, -127, -127, -128}), kernel).why_not, "");
  EXPECT_EQ(streams().pack_depthwise(matrix({0, -128, -128, 0}), kernel).why_not, "");
  EXPECT_EQ(streams().pack_depthwise(matrix({0, 0, -128, -128}), kernel).why_not,
            "weights 2 and 3 of channel 0 are both -128: their products leave 16 bits");
}

}  // namespace
}  // namespace fold8::target
