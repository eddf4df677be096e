// Types and constant data of the program: element kind, shape, and how integers stand for reals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/diag.h"

namespace fold8::ir {

// `rescale` is one quant::Rescale (int32 multiplier, int32 shift): 8 bytes that travel together.
enum class Elem : uint8_t { f32, i8, i16, i32, i64, u8, boolean, rescale };

size_t elem_bytes(Elem elem);
const char* elem_name(Elem elem);  // "f32", "i8", ... as the text form spells it

using Shape = std::vector<int64_t>;  // sizes, outermost first

int64_t elem_count(const Shape& shape);
std::string shape_text(const Shape& shape);  // "[1,64]"

// real = scales[c] * (q - zero); c = index along `axis`, or 0 for per-tensor (axis = -1, one scale).
struct Quant {
  std::vector<double> scales;
  int32_t zero = 0;
  int axis = -1;

  static Quant per_tensor(double scale, int32_t zero) { return {{scale}, zero, -1}; }
  bool is_per_tensor() const { return axis < 0; }
  double scale() const {
    require(is_per_tensor(), "scale() is asked of per-tensor parameters only");
    return scales[0];
  }
  friend bool operator==(const Quant&, const Quant&) = default;
};

struct Type {
  Elem elem = Elem::f32;
  Shape shape;
  std::optional<Quant> quant;  // printed as q8, q32, ...

  int64_t elems() const { return elem_count(shape); }
  size_t bytes() const { return static_cast<size_t>(elems()) * elem_bytes(elem); }
  bool is_q8() const { return elem == Elem::i8 && quant.has_value(); }
  friend bool operator==(const Type&, const Type&) = default;
};

Type f32(Shape shape);
Type q8(Shape shape, double scale, int32_t zero);

// Dense row-major data of one element kind. Constants hold it by shared_ptr<const Tensor>: several values may share
// one.
struct Tensor {
  Elem elem = Elem::f32;
  Shape shape;
  std::vector<std::byte> bytes;

  Tensor() = default;
  Tensor(Elem e, Shape s)
      : elem(e), shape(std::move(s)), bytes(static_cast<size_t>(elem_count(shape)) * elem_bytes(e)) {}

  template <class T>
  std::span<const T> as() const {
    require(sizeof(T) == elem_bytes(elem), "a tensor is read as its own element kind");
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<T> as() {
    require(sizeof(T) == elem_bytes(elem), "a tensor is written as its own element kind");
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  friend bool operator==(const Tensor&, const Tensor&) = default;
};

using TensorPtr = std::shared_ptr<const Tensor>;

template <class T>
TensorPtr make_tensor(Elem elem, Shape shape, const std::vector<T>& values) {
  auto tensor = std::make_shared<Tensor>(elem, std::move(shape));
  auto out = tensor->as<T>();
  require(out.size() == values.size(), "a tensor's data fills its shape");
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return tensor;
}

// FNV-1a over element kind, shape and bytes: names a constant in dumps and reports.
uint64_t content_hash(const Tensor& tensor);

}  // namespace fold8::ir
