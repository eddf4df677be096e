// Lines over int8 (quant/scale_bias.h): every result is the real one, rounded, within the bound that the docs state.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/rescale.h"
#include "quant/scale_bias.h"

namespace fold8::quant {
namespace {

int32_t result(const ScaleBiasTable& table, size_t k, int64_t x) {
  return clamp((table.entries[k].scale * x + table.entries[k].bias) >> table.shift, -128, 127);
}

double real(const Line& line, double x) { return std::clamp(line.slope * x + line.intercept, -128.0, 127.0); }

void expect_rounded(const std::vector<Line>& lines) {
  const ScaleBiasTable table = scale_bias_table(lines);
  const double off = std::ldexp(65, -table.shift);
  for (size_t k = 0; k < lines.size(); ++k) {
    EXPECT_TRUE(fits(table.entries[k], table.shift));
    for (int x = -128; x < 128; ++x)
      ASSERT_NEAR(result(table, k, x), real(lines[k], x), 0.5 + off)
          << lines[k].slope << " * " << x << " + " << lines[k].intercept;
  }
}

TEST(ScaleBias, GentleLinesTakeTheLargestShift) {
  EXPECT_EQ(scale_bias_table({{0.5, 3}, {-1, 7}, {1.25, -100}}).shift, kMostScaleBiasShift);
  expect_rounded({{0.5, 3}, {-1, 7}, {1.25, -100}, {0, 127}, {0, -128}, {0, 0}});
}

TEST(ScaleBias, RandomLinesTogether) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> exponent(-12, 12);
  std::uniform_real_distribution<double> shift(-300, 300);
  for (int i = 0; i < 200; ++i) {
    std::vector<Line> lines;
    for (int k = 0; k < 10; ++k) lines.push_back({(k % 2 ? -1 : 1) * std::exp2(exponent(random)), shift(random)});
    expect_rounded(lines);
  }
}

// Of a line through (x, y) that is steeper than int8 is tall, results on both sides of x saturate.
TEST(ScaleBias, SteepLines) {
  for (const double slope : {200.0, 257.0, 300.0, 1e4, 1e12, 1e300})
    for (const double x : {-128.0, -127.6, -3.0, -0.5, 0.0, 63.25, 127.0})
      for (const double sign : {-1.0, 1.0})
        for (const double y : {-200.0, -128.5, 0.0, 100.0, 127.4, 200.0})
          expect_rounded({{sign * slope, y - sign * slope * x}, {0.01, 0.3}});
}

TEST(ScaleBias, LinesThatSaturateEverywhere) {
  const double infinite = std::numeric_limits<double>::infinity();
  const ScaleBiasTable table =
      scale_bias_table({{1, infinite}, {1, -infinite}, {3, 1e9}, {-3, -1e9}, {0, 127.6}, {1, 300}});
  for (int x = -128; x < 128; ++x) {
    for (const size_t k : {0, 2, 4, 5}) EXPECT_EQ(result(table, k, x), 127);
    for (const size_t k : {1, 3}) EXPECT_EQ(result(table, k, x), -128);
  }
}

TEST(ScaleBias, ASteepLineLeavesTheOthersWithinTheirBound) {
  const ScaleBiasTable table = scale_bias_table({{257, 257 * 128.0}, {0.7, 0.1}});
  EXPECT_EQ(table.shift, kLeastScaleBiasShift);
  expect_rounded({{257, 257 * 128.0}, {0.7, 0.1}});
}

TEST(ScaleBias, SumsThatDoNotFit) {
  EXPECT_TRUE(fits({16777088, 0}, 14));  // -128 * 16777088 = -2^31 + 2^14
  EXPECT_FALSE(fits({16777089, 0}, 14));
  EXPECT_TRUE(fits({-16760831, 0}, 14));  // 128 * 16760831 < 2^31 - 128 * 2^14
  EXPECT_FALSE(fits({-16760832, 0}, 14));
  EXPECT_FALSE(fits({0, INT32_MAX}, 14));
  EXPECT_FALSE(fits({0, INT32_MIN}, 14));
  EXPECT_TRUE(fits({0, INT32_MAX - (128 << 14)}, 14));
  EXPECT_TRUE(fits({0, INT32_MIN + (1 << 14)}, 14));
}

}  // namespace
}  // namespace fold8::quant
