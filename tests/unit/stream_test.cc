// What packers of streams prove, at the last value that holds and one past it, and that what they wrote reads back.
#include "target/stream.h"

#include <gtest/gtest.h>

namespace fold8::target {
namespace {

const StreamFormat& v7m() { return *stream_format("v7m"); }

Matrix one_channel(int64_t ins, int8_t weight, int32_t sum, quant::Rescale rescale, int32_t zero) {
  return {1, ins, std::vector<int8_t>(static_cast<size_t>(ins), weight), {sum}, {rescale}, zero};
}

constexpr quant::Rescale kSmall{1 << 30, -9};

TEST(V7mStream, TakesAccumulatorsOfTwentyFourBits) {
  constexpr int32_t kMost = (1 << 23) - 1;
  for (const auto pack : {v7m().pack, v7m().pack_rows}) {
    EXPECT_EQ(pack(one_channel(8, 127, kMost - 8 * 127 * 127, kSmall, 3)).why_not, "");
    EXPECT_EQ(pack(one_channel(8, 127, kMost - 8 * 127 * 127 + 1, kSmall, 3)).why_not,
              "channel 0 can accumulate 8388608");
    EXPECT_EQ(pack(one_channel(8, 127, 8 * 127 * 128 - kMost, kSmall, 3)).why_not, "");
    EXPECT_NE(pack(one_channel(8, 127, 8 * 127 * 128 - kMost - 1, kSmall, 3)).why_not, "");
  }
}

TEST(V7mStream, TakesDepthwiseAccumulatorsOfTwentyOneBits) {
  constexpr int32_t kMost = (1 << 20) - 1;
  const DepthwiseKernel kernel{1, 1, 3, 3, 1};
  EXPECT_EQ(v7m().pack_depthwise(one_channel(9, -128, kMost - 9 * 128 * 128, kSmall, 3), kernel).why_not, "");
  EXPECT_NE(v7m().pack_depthwise(one_channel(9, -128, kMost - 9 * 128 * 128 + 1, kSmall, 3), kernel).why_not, "");
  EXPECT_EQ(v7m().pack_depthwise(one_channel(9, -128, 9 * 128 * 127 - kMost, kSmall, 3), kernel).why_not, "");
  EXPECT_NE(v7m().pack_depthwise(one_channel(9, -128, 9 * 128 * 127 - kMost - 1, kSmall, 3), kernel).why_not, "");
}

TEST(V7mStream, TakesLeftShiftsWhoseRoundingIsWhole) {
  EXPECT_EQ(v7m().pack(one_channel(8, 1, 0, {1 << 30, 6}, 3)).why_not, "");
  EXPECT_EQ(v7m().pack(one_channel(8, 1, 0, {1 << 30, 7}, 3)).why_not,
            "channel 0 shifts left by 7; the stream takes up to 6");
}

// 2^31 - 1 times accumulators near 2^23, and C with a zero point of -128, share an int32 up to a shift of 15. Beyond
// it, with a zero point of -128, a multiplier of fewer bits has the same results.
TEST(V7mStream, TakesRightShiftsThatLeaveRoom) {
  for (int32_t right = 1; right <= 22; ++right)
    for (int32_t zero : {-128, 0, 127}) {
      const quant::Rescale r{INT32_MAX, -right};
      const Matrix m = one_channel(8, 127, 8000000, r, zero);
      const Stream stream = v7m().pack(m);
      EXPECT_TRUE((right > 15 && zero != -128) || stream.why_not.empty()) << stream.why_not;
      if (!stream.why_not.empty()) continue;
      const quant::Rescale read = v7m().unpack(stream.words.data(), 1, 8).rescales[0];
      EXPECT_TRUE(right > 15 || read == r) << right;
      for (int32_t acc = -8400000; acc <= 8400000; acc += 97)
        ASSERT_EQ(quant::clamp(int64_t{zero} + quant::apply(read, acc), -128, 127),
                  quant::clamp(int64_t{zero} + quant::apply(r, acc), -128, 127))
            << right << " " << zero << " " << acc;
    }
}

TEST(V7mStream, AChannelThatIsAlwaysZeroNeedsNoShift) {
  const Stream stream = v7m().pack(one_channel(8, 1, 0, {1 << 30, -25}, -128));
  EXPECT_EQ(stream.why_not, "");
  EXPECT_EQ(v7m().unpack(stream.words.data(), 1, 8).rescales[0].multiplier, 0);
}

}  // namespace
}  // namespace fold8::target
