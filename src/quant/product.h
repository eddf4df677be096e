// A rescaled product of two int8, as two multiplications and one shift:
//
//   y = clamp((offset + high * p + ((low * p) >> 14) - (p < 0 ? below : 0)) >> shift, lo, hi),  0 <= low < 2^14
//
// The integers are searched for, so that every product p gives the result that the profile's own two roundings give:
// those are not the same below 0 as above, hence `below`. docs/arithmetic.md "Products in one shift".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fold8::quant {

struct Product {
  int32_t high = 0;
  int32_t low = 0;
  int32_t offset = 0;
  int32_t below = 0;
  int shift = 0;  // kLeastAffineShift..kMostAffineShift
};

// A function of a product.
struct RoundedProduct {
  int32_t least;          // the first product
  std::vector<int8_t> y;  // y[i] is the result for least + i
  double slope;           // y is near zero + slope * p, or clamped:
  int32_t zero, lo, hi;
};

int32_t apply(const Product& product, int32_t p, int32_t lo, int32_t hi);

// Integers that give every y, or nullopt if the search finds none. Proven by trying each product, and with it that no
// sum leaves int32 when its terms are added in their order, with -(1 << shift) to 128 << shift on top of offset.
std::optional<Product> find_product(const RoundedProduct& product);

}  // namespace fold8::quant
