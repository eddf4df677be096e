#include "ops/constants.h"

#include <algorithm>

namespace fold8::ops {

using namespace ir;

namespace {

double quantized(double real, const Quant& q) {
  return std::clamp(std::nearbyint(real / q.scale()) + q.zero, -128.0, 127.0);
}

}  // namespace

ValueId add_quantized(Program& p, const std::string& name, const Shape& shape, const std::vector<double>& reals,
                      const Quant& quant) {
  std::vector<int8_t> ints;
  for (double real : reals) ints.push_back(static_cast<int8_t>(quantized(real, quant)));
  return p.add_constant(name, {Elem::i8, shape, quant}, make_tensor(Elem::i8, shape, ints));
}

std::vector<int64_t> dense_strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

ValueId add_unpermuted(Program& p, ValueId id, const std::vector<int64_t>& dims) {
  const Value from = p[id];
  Type type = from.type;
  for (size_t i = 0; i < dims.size(); ++i) {
    type.shape[static_cast<size_t>(dims[i])] = from.type.shape[i];
    if (type.quant && from.type.quant->axis == static_cast<int>(i)) type.quant->axis = static_cast<int>(dims[i]);
  }
  auto moved = std::make_shared<Tensor>(type.elem, type.shape);
  const std::vector<int64_t> strides = dense_strides(type.shape);  // of what is written
  const size_t width = elem_bytes(type.elem);
  for (int64_t flat = 0; flat < type.elems(); ++flat) {
    int64_t to = 0;
    int64_t rest = flat;
    for (size_t i = dims.size(); i-- > 0; rest /= from.type.shape[i])
      to += rest % from.type.shape[i] * strides[static_cast<size_t>(dims[i])];
    std::copy_n(from.constant->bytes.begin() + flat * static_cast<int64_t>(width), width,
                moved->bytes.begin() + to * static_cast<int64_t>(width));
  }
  return p.add_constant(from.name, type, std::move(moved));
}

}  // namespace fold8::ops
