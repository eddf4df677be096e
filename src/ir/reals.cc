#include "ir/reals.h"

#include <algorithm>

namespace fold8::ir {
namespace {

template <class T>
std::vector<double> scaled(const Value& constant) {
  const Quant& q = *constant.type.quant;
  int64_t inner = 1;  // elements of one index along the axis of the scales
  if (!q.is_per_tensor())
    for (size_t i = static_cast<size_t>(q.axis) + 1; i < constant.type.shape.size(); ++i)
      inner *= constant.type.shape[i];
  const auto ints = constant.constant->as<T>();
  std::vector<double> reals(ints.size());
  for (size_t i = 0; i < ints.size(); ++i) {
    const size_t channel = static_cast<size_t>(static_cast<int64_t>(i) / inner) % q.scales.size();
    reals[i] = (static_cast<double>(ints[i]) - q.zero) * q.scales[q.is_per_tensor() ? 0 : channel];
  }
  return reals;
}

// The size of dimension `i` of `rank`, counted with the missing outer dimensions.
int64_t size_at(const Shape& shape, size_t i, size_t rank) {
  const size_t missing = rank - shape.size();
  return i < missing ? 1 : shape[i - missing];
}

}  // namespace

std::optional<std::vector<double>> real_values(const Value& constant) {
  if (constant.type.elem == Elem::f32) {
    const auto floats = constant.constant->as<float>();
    return std::vector<double>(floats.begin(), floats.end());
  }
  if (!constant.type.quant) return std::nullopt;
  if (constant.type.elem == Elem::i8) return scaled<int8_t>(constant);
  if (constant.type.elem == Elem::i32) return scaled<int32_t>(constant);
  return std::nullopt;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape y(std::max(a.size(), b.size()));
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t m = size_at(a, i, y.size());
    const int64_t n = size_at(b, i, y.size());
    if (m != n && m != 1 && n != 1) return std::nullopt;
    y[i] = m == 1 ? n : m;
  }
  return y;
}

int64_t broadcast_index(const Shape& from, const Shape& to, int64_t flat) {
  int64_t index = 0;
  int64_t stride = 1;
  for (size_t i = to.size(); i-- > 0; flat /= to[i]) {
    const int64_t size = size_at(from, i, to.size());
    if (size != 1) index += flat % to[i] * stride;
    stride *= size;
  }
  return index;
}

}  // namespace fold8::ir
