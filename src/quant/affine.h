// Sums of int8 operands, each scaled, as two multiplications and one shift:
//
//   y = clamp((a * x + b * z + c) >> shift, lo, hi)
//
// The integers are not a rounding of the reals they stand for but are searched for, so that every pair of operands
// gives the result that the profile's own sequence gives. docs/arithmetic.md "Sums in one shift".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fold8::quant {

struct Affine {
  int32_t a = 0;
  int32_t b = 0;
  int32_t c = 0;
  int shift = 0;  // kLeastAffineShift..kMostAffineShift
  friend bool operator==(const Affine&, const Affine&) = default;
};

inline constexpr int kLeastAffineShift = 17;  // kernels for vectors narrow by 16 bits first
inline constexpr int kMostAffineShift = 24;

std::vector<int8_t> all_int8();  // -128..127

// A function of two int8, all of it; a function of one has the single value 0 for `b`.
struct RoundedSum {
  std::vector<int8_t> a, b;            // the values that the operands take
  std::vector<int8_t> y;               // y[i * b.size() + j] is the result for a[i] and b[j]
  double slope_a, slope_b, intercept;  // y is near intercept + slope_a * a + slope_b * b, or clamped:
  int32_t lo, hi;
};

int32_t apply(const Affine& affine, int32_t a, int32_t b, int32_t lo, int32_t hi);

// Integers that give every y, or nullopt if the search finds none. Proven by trying each pair, and with it that no
// product or sum leaves int32 when c, a * x and b * z are added in this order, with -(1 << shift) to
// 128 << shift on top of c.
std::optional<Affine> find_affine(const RoundedSum& sum);

}  // namespace fold8::quant
