// Integer arithmetic on sizes that came from a file: nullopt instead of overflow.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace fold8 {

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Number of elements of a shape; nullopt for a negative dimension or more than 2^63-1 elements.
inline std::optional<int64_t> checked_elems(std::span<const int64_t> shape) {
  int64_t elems = 1;
  for (int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const auto product = checked_mul(elems, dim);
    if (!product) return std::nullopt;
    elems = *product;
  }
  return elems;
}

}  // namespace fold8
