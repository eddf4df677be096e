// Lines over int8 as one multiplication, one addition and one shift that all of them share:
//
//   y = clamp((bias + scale * x) >> shift, lo, hi),   near slope * x + intercept, rounded
//
// docs/arithmetic.md "Gains and shifts of constants" has the bound.
#pragma once

#include <cstdint>
#include <vector>

namespace fold8::quant {

inline constexpr int kLeastScaleBiasShift = 14;
inline constexpr int kMostScaleBiasShift = 22;

// slope * x + intercept, in steps of the result, its zero point included. The intercept may be infinite.
struct Line {
  double slope = 0;
  double intercept = 0;
};

struct ScaleBias {
  int32_t scale = 0;
  int32_t bias = 0;
};

struct ScaleBiasTable {
  std::vector<ScaleBias> entries;  // one for each line
  int shift = kMostScaleBiasShift;
};

// The shift is the largest under which every sum fits.
ScaleBiasTable scale_bias_table(const std::vector<Line>& lines);

// Whether no product or sum leaves int32 for any int8 x when bias and scale * x are added in this order, with
// -(1 << shift) to 128 << shift on top of bias.
bool fits(const ScaleBias& k, int shift);

}  // namespace fold8::quant
