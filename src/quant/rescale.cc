#include "quant/rescale.h"

#include <cmath>
#include <limits>

namespace fold8::quant {

std::optional<Rescale> make_rescale(double real) {
  if (!std::isfinite(real) || real < 0 || real >= std::ldexp(1.0, kMaxLeftShift)) return std::nullopt;
  if (real == 0) return Rescale{};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);  // in [0.5, 1)
  auto multiplier = static_cast<int64_t>(std::round(fraction * 0x1p31));
  if (multiplier == int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift > kMaxLeftShift) return std::nullopt;  // rounded up to it
  if (shift < -kMaxRightShift) return Rescale{};
  return Rescale{static_cast<int32_t>(multiplier), shift};
}

namespace {

int64_t saturate32(int64_t value) { return value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value; }

// (a * b + 2^30) >> 31. The one product that overflows, INT32_MIN^2, cannot occur: a multiplier is never negative.
int64_t doubling_high_mul(int64_t a, int64_t b) { return (a * b + (int64_t{1} << 30)) >> 31; }

// value / 2^n to the nearest, ties away from zero. Written by magnitude: |value| <= 2^31, n <= 31.
int64_t rounding_shift_right(int64_t value, int n) {
  const int64_t half = n == 0 ? 0 : int64_t{1} << (n - 1);
  const int64_t magnitude = ((value < 0 ? -value : value) + half) >> n;
  return value < 0 ? -magnitude : magnitude;
}

}  // namespace

int32_t apply(Rescale rescale, int32_t value) {
  const int left = rescale.shift > 0 ? rescale.shift : 0;
  const int right = rescale.shift < 0 ? -rescale.shift : 0;
  const int64_t shifted = saturate32(static_cast<int64_t>(value) * (int64_t{1} << left));
  return static_cast<int32_t>(rounding_shift_right(doubling_high_mul(shifted, rescale.multiplier), right));
}

int8_t quantize(float x, double scale, int32_t zero, int32_t lo, int32_t hi) {
  const float scaled = x * static_cast<float>(1.0 / scale);
  if (std::isnan(scaled)) return static_cast<int8_t>(clamp(zero, lo, hi));
  const double rounded = std::nearbyint(static_cast<double>(scaled)) + zero;
  if (rounded <= lo) return static_cast<int8_t>(lo);
  if (rounded >= hi) return static_cast<int8_t>(hi);
  return static_cast<int8_t>(rounded);
}

}  // namespace fold8::quant
