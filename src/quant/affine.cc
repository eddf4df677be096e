#include "quant/affine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "quant/rescale.h"

namespace fold8::quant {
namespace {

int64_t value(const Affine& f, int64_t a, int64_t b) { return f.a * a + f.b * b + f.c; }

bool proven(const RoundedSum& sum, const Affine& f) {
  const int64_t one = int64_t{1} << f.shift;
  const auto fits = [&](int64_t a, int64_t b) {
    return value(f, a, b) >= INT32_MIN + one && value(f, a, b) <= INT32_MAX - 128 * one;
  };
  if (std::abs(int64_t{f.a}) > INT32_MAX / 128 || std::abs(int64_t{f.b}) > INT32_MAX / 128 || !fits(0, 0)) return false;
  auto y = sum.y.begin();
  for (const int8_t a : sum.a) {
    if (!fits(a, 0)) return false;
    for (const int8_t b : sum.b)
      if (!fits(a, b) || apply(f, a, b, sum.lo, sum.hi) != *y++) return false;
  }
  return true;
}

// The largest and the least of slope * x.
std::pair<double, double> span(double slope, const std::vector<int8_t>& values) {
  const auto [least, most] = std::ranges::minmax(values);
  return std::minmax(slope * least, slope * most);
}

// The largest shift under which the reals before the clamp fit int32, with a step below and 128 above.
int most_shift(const RoundedSum& sum) {
  const auto [least_a, most_a] = span(sum.slope_a, sum.a);
  const auto [least_b, most_b] = span(sum.slope_b, sum.b);
  const double reach = std::max(sum.intercept + most_a + most_b + 129, 1 - (sum.intercept + least_a + least_b));
  return std::min(kMostAffineShift, 31 - static_cast<int>(std::ceil(std::log2(reach))));
}

// A pair of operands whose result is near another one: it bounds c from below where y > lo, from above where y < hi.
struct Binding {
  int64_t a, b, y;
};

// No candidate moves a result by more.
constexpr double kMargin = 1.0 / 64;

std::vector<Binding> bindings(const RoundedSum& sum) {
  std::vector<Binding> list;
  auto y = sum.y.begin();
  for (const int8_t a : sum.a)
    for (const int8_t b : sum.b) {
      const double above = sum.intercept + 0.5 + sum.slope_a * a + sum.slope_b * b - *y;
      if (above < kMargin || above > 1 - kMargin) list.push_back({a, b, *y});
      ++y;
    }
  return list;
}

// The c in the middle of those that satisfy every binding; nullopt if none does.
std::optional<int64_t> offset_for(const RoundedSum& sum, const std::vector<Binding>& bindings, int64_t a, int64_t b,
                                  int shift) {
  const int64_t one = int64_t{1} << shift;
  const auto nominal = static_cast<int64_t>(std::floor((sum.intercept + 0.5) * static_cast<double>(one)));
  int64_t least = nominal - one;
  int64_t most = nominal + one;
  for (const Binding& pair : bindings) {
    const int64_t below = pair.y * one - a * pair.a - b * pair.b;
    if (pair.y > sum.lo) least = std::max(least, below);
    if (pair.y < sum.hi) most = std::min(most, below + one - 1);
    if (least > most) return std::nullopt;
  }
  return (least + most) >> 1;
}

// Slopes to try: some units around the nearest integers, and slightly steeper ones, which move ties away from zero.
std::vector<std::pair<int64_t, int64_t>> slopes(const RoundedSum& sum, int shift) {
  std::vector<std::pair<int64_t, int64_t>> list;
  const double a = std::ldexp(sum.slope_a, shift);
  const double b = std::ldexp(sum.slope_b, shift);
  for (int64_t i : {0, 1, -1, 2, -2})
    for (int64_t j : {0, 1, -1, 2, -2}) list.emplace_back(std::llround(a) + i, std::llround(b) + j);
  for (int bits = 20; bits >= 15; --bits) {
    const double steeper = 1 + std::ldexp(1.0, -bits);
    list.emplace_back(std::llround(a * steeper), std::llround(b * steeper));
  }
  return list;
}

}  // namespace

std::vector<int8_t> all_int8() {
  std::vector<int8_t> values;
  for (int x = -128; x < 128; ++x) values.push_back(static_cast<int8_t>(x));
  return values;
}

int32_t apply(const Affine& affine, int32_t a, int32_t b, int32_t lo, int32_t hi) {
  return clamp(value(affine, a, b) >> affine.shift, lo, hi);
}

std::optional<Affine> find_affine(const RoundedSum& sum) {
  if (sum.y.empty()) return std::nullopt;
  constexpr int kUsual = 22;  // one shift for most nodes of a network is one kernel for them
  const int most = most_shift(sum);
  const std::vector<Binding> pairs = bindings(sum);
  for (int shift = std::min(kUsual, most); shift >= kLeastAffineShift && shift <= most; ++shift)
    for (const auto& [a, b] : slopes(sum, shift)) {
      const auto c = offset_for(sum, pairs, a, b, shift);
      if (!c || *c > INT32_MAX || *c < INT32_MIN) continue;
      const Affine found{static_cast<int32_t>(a), static_cast<int32_t>(b), static_cast<int32_t>(*c), shift};
      if (proven(sum, found)) return found;
    }
  return std::nullopt;
}

}  // namespace fold8::quant
