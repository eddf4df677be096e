#include "quant/scale_bias.h"

#include <algorithm>
#include <cmath>

namespace fold8::quant {
namespace {

constexpr double kLeast = -128;
constexpr double kMost = 127;
constexpr double kSteepest = 257;  // at most one x lies between the ends of int8, with room for its rounding

double at(const Line& line, double x) { return line.slope * x + line.intercept; }

// A line with the same results after the clamp, whose values stay near int8: a line that saturates everywhere is flat;
// of one that is steeper than kSteepest only the x nearest to the middle of int8 counts.
Line tamed(const Line& line) {
  const auto [least, most] = std::minmax({at(line, kLeast), at(line, kMost)});
  if (least >= kMost + 1) return {0, kMost + 1};
  if (most <= kLeast - 1) return {0, kLeast - 1};
  if (std::abs(line.slope) <= kSteepest) return line;
  const double nearest = std::clamp(std::nearbyint(-line.intercept / line.slope), kLeast, kMost);
  const double value = std::clamp(at(line, nearest), kLeast - 1, kMost + 1);
  const double slope = std::copysign(kSteepest, line.slope);
  return {slope, value - slope * nearest};
}

ScaleBias rounded(const Line& line, int shift) {
  return {static_cast<int32_t>(std::nearbyint(std::ldexp(line.slope, shift))),
          static_cast<int32_t>(std::floor(std::ldexp(line.intercept + 0.5, shift)))};
}

}  // namespace

bool fits(const ScaleBias& k, int shift) {
  const int64_t one = int64_t{1} << shift;
  return std::ranges::all_of(std::initializer_list<int64_t>{-128, 0, 127}, [&](int64_t x) {
    const int64_t product = k.scale * x;
    const int64_t sum = k.bias + product;
    return std::abs(product) <= INT32_MAX && sum >= INT32_MIN + one && sum <= INT32_MAX - 128 * one;
  });
}

ScaleBiasTable scale_bias_table(const std::vector<Line>& lines) {
  std::vector<Line> all(lines.size());
  std::ranges::transform(lines, all.begin(), tamed);
  ScaleBiasTable table;
  for (; table.shift > kLeastScaleBiasShift; --table.shift) {
    const bool every_one_fits = std::ranges::all_of(all, [&](const Line& line) {
      const double reach = std::abs(line.intercept) + 128 * std::abs(line.slope) + 1;
      return std::ldexp(reach, table.shift) < 0x1p31 && fits(rounded(line, table.shift), table.shift);
    });
    if (every_one_fits) break;
  }
  for (const Line& line : all) table.entries.push_back(rounded(line, table.shift));
  return table;
}

}  // namespace fold8::quant
