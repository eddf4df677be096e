// The one definition of scale -> (multiplier, shift) and of applying it: docs/arithmetic.md, section 2.
// Profile `tflite`: a saturating rounding doubling high multiplication, then a rounding right shift (two roundings).
// Written in plain 64-bit integers; shares nothing with the device kernels, so that their agreement means something.
#pragma once

#include <cstdint>
#include <optional>

namespace fold8::quant {

// A positive real number as multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0 (the product is then always
// 0). shift > 0 shifts left before the multiplication, shift < 0 right after it.
struct Rescale {
  int32_t multiplier = 0;
  int32_t shift = 0;
  friend bool operator==(const Rescale&, const Rescale&) = default;
};

inline constexpr int kMaxLeftShift = 30;
inline constexpr int kMaxRightShift = 31;

// The Rescale nearest to `real`; nullopt unless real is finite, >= 0 and below 2^kMaxLeftShift.
// Below 2^-32 every product of an int32 rounds to 0: {0, 0}.
std::optional<Rescale> make_rescale(double real);

// round(value * real), ties as the profile says, saturated to int32.
int32_t apply(Rescale rescale, int32_t value);

// Quantizes one float the way PyTorch does: clamp(round_half_even(x * float(1/scale)) + zero, lo, hi).
// NaN gives `zero` clamped.
int8_t quantize(float x, double scale, int32_t zero, int32_t lo = -128, int32_t hi = 127);

inline int32_t clamp(int64_t value, int32_t lo, int32_t hi) {
  return value < lo ? lo : value > hi ? hi : static_cast<int32_t>(value);
}

}  // namespace fold8::quant
