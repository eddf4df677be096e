#include "quant/product.h"

#include <algorithm>
#include <cmath>

#include "quant/affine.h"
#include "quant/rescale.h"

namespace fold8::quant {
namespace {

constexpr int kLowBits = 14;
constexpr int kUsualShift = 22;

int64_t scaled(const Product& f, int64_t p) { return f.high * p + ((f.low * p) >> kLowBits); }

int64_t value(const Product& f, int64_t p) { return f.offset + scaled(f, p) - (p < 0 ? f.below : 0); }

bool proven(const RoundedProduct& product, const Product& f) {
  const int64_t one = int64_t{1} << f.shift;
  const auto fits = [&](int64_t sum) { return sum >= INT32_MIN + one && sum <= INT32_MAX - 128 * one; };
  int64_t p = product.least;
  for (const int8_t y : product.y) {
    const bool sums_fit = std::abs(f.high * p) <= INT32_MAX && fits(f.offset + f.high * p) &&
                          fits(f.offset + scaled(f, p)) && fits(value(f, p));
    if (!sums_fit || apply(f, static_cast<int32_t>(p), product.lo, product.hi) != y) return false;
    ++p;
  }
  return true;
}

// What may be added to scaled(p), for the p of one sign.
struct Interval {
  int64_t least, most;
  std::optional<int32_t> middle() const {
    const int64_t c = (least + most) >> 1;
    if (least > most || c < INT32_MIN || c > INT32_MAX) return std::nullopt;
    return static_cast<int32_t>(c);
  }
};

Interval offsets(const RoundedProduct& product, const Product& f, bool negative) {
  const int64_t one = int64_t{1} << f.shift;
  const int64_t nominal = product.zero * one + one / 2;
  Interval c{nominal - one, nominal + one};
  int64_t p = product.least;
  for (const int8_t y : product.y) {
    const int64_t below = y * one - scaled(f, p);
    const bool of_this_sign = (p++ < 0) == negative;
    if (of_this_sign && y > product.lo) c.least = std::max(c.least, below);
    if (of_this_sign && y < product.hi) c.most = std::min(c.most, below + one - 1);
  }
  return c;
}

}  // namespace

int32_t apply(const Product& product, int32_t p, int32_t lo, int32_t hi) {
  return clamp(value(product, p) >> product.shift, lo, hi);
}

std::optional<Product> find_product(const RoundedProduct& product) {
  const int64_t last = product.least + static_cast<int64_t>(product.y.size()) - 1;
  const auto largest = static_cast<double>(std::max(-int64_t{product.least}, last));
  const double reach = product.slope * largest + std::abs(product.zero) + 129;
  const int shift = std::min(kUsualShift, 31 - static_cast<int>(std::ceil(std::log2(reach))));
  if (shift < kLeastAffineShift) return std::nullopt;
  const int64_t nearest = std::llround(std::ldexp(product.slope, shift + kLowBits));
  for (const int64_t units : {0, 1, -1, 2, -2}) {
    const int64_t multiplier = std::max<int64_t>(0, nearest + units);
    Product found{static_cast<int32_t>(multiplier >> kLowBits),
                  static_cast<int32_t>(multiplier & ((1 << kLowBits) - 1)), 0, 0, shift};
    const auto above = offsets(product, found, false).middle();
    const auto below = offsets(product, found, true).middle();
    if (!above || !below) continue;
    found.offset = *above;
    found.below = *above - *below;
    if (proven(product, found)) return found;
  }
  return std::nullopt;
}

}  // namespace fold8::quant
