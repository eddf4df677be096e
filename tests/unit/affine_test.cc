// Sums and products in one shift: what the search finds, what it must refuse, and the packed form that says which.
#include "quant/affine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "driver/compiler.h"
#include "ir/text.h"
#include "ops/ops.h"

namespace fold8 {
namespace {

// Rounds half up, as one shift does.
quant::RoundedSum rounded(double slope_a, double slope_b, double intercept) {
  quant::RoundedSum sum{quant::all_int8(), quant::all_int8(), {}, slope_a, slope_b, intercept, -128, 127};
  for (const int8_t a : sum.a)
    for (const int8_t b : sum.b)
      sum.y.push_back(
          static_cast<int8_t>(std::clamp(std::floor(slope_a * a + slope_b * b + intercept + 0.5), -128.0, 127.0)));
  return sum;
}

TEST(Affine, GivesEveryResult) {
  const quant::RoundedSum sum = rounded(0.7313, -0.2918, 3.3);
  const auto found = quant::find_affine(sum);
  ASSERT_TRUE(found);
  size_t at = 0;
  for (const int8_t a : sum.a)
    for (const int8_t b : sum.b) EXPECT_EQ(quant::apply(*found, a, b, sum.lo, sum.hi), sum.y[at++]);
}

TEST(Affine, RefusesOneWrongResult) {
  quant::RoundedSum sum = rounded(0.7313, -0.2918, 3.3);
  sum.y[sum.y.size() / 2] = 100;
  EXPECT_FALSE(quant::find_affine(sum));
}

// No element is left to be wrong about, but also none to round.
TEST(Affine, RefusesNothing) {
  quant::RoundedSum sum = rounded(1, 1, 0);
  sum.b.clear();
  sum.y.clear();
  EXPECT_FALSE(quant::find_affine(sum));
}

// The largest sum that leaves room for 128 << shift takes the shift of 17; the next steeper slope finds no shift.
TEST(Affine, LeavesRoomInInt32) {
  const double room = std::ldexp(1.0, 31 - quant::kLeastAffineShift) - 129;
  const auto found = quant::find_affine(rounded(std::floor(room / 128), 0, 0));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->shift, quant::kLeastAffineShift);
  EXPECT_FALSE(quant::find_affine(rounded(std::floor(room / 128) + 2, 0, 0)));
}

std::string packed(const char* op, const char* scale_a, const char* scale_b, const char* scale_y) {
  auto program = ir::parse(fmt::format("program form=int8 {{\n  in %a : q8[4] scale={} zero=0\n"
                                       "  in %b : q8[4] scale={} zero=0\n"
                                       "  %y = {} %a, %b : q8[4] scale={} zero=0\n  out %y\n}}\n",
                                       scale_a, scale_b, op, scale_y),
                           ops::table());
  require(static_cast<bool>(program), "the program parses");
  auto compiled = backend::compile(std::move(*program), *target::find_target("cortex-m4"));
  require(static_cast<bool>(compiled), "the program compiles");
  return ir::print(compiled->program);
}

TEST(Affine, PackedFormSaysWhichKernel) {
  EXPECT_NE(packed("add", "0.1", "0.07", "0.13").find(" affine=["), std::string::npos);
  const std::string tied = packed("add", "0.03", "0.02", "0.04");
  EXPECT_EQ(tied.find(" affine=["), std::string::npos);
  EXPECT_NE(tied.find(" why=\"no integers found"), std::string::npos);
  EXPECT_NE(packed("mul", "0.1", "0.07", "0.9").find(" product=["), std::string::npos);
  const std::string steep = packed("mul", "2", "0.5", "0.7");
  EXPECT_EQ(steep.find(" product=["), std::string::npos);
  EXPECT_NE(steep.find(" why=\"no integers found"), std::string::npos);
}

}  // namespace
}  // namespace fold8
