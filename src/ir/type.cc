#include "ir/type.h"

#include <fmt/format.h>

namespace fold8::ir {

size_t elem_bytes(Elem elem) {
  switch (elem) {
    case Elem::i8:
    case Elem::u8:
    case Elem::boolean: return 1;
    case Elem::i16: return 2;
    case Elem::f32:
    case Elem::i32: return 4;
    case Elem::i64:
    case Elem::rescale: return 8;
  }
  throw CompilerBug("an element kind has a size");
}

const char* elem_name(Elem elem) {
  switch (elem) {
    case Elem::f32: return "f32";
    case Elem::i8: return "i8";
    case Elem::i16: return "i16";
    case Elem::i32: return "i32";
    case Elem::i64: return "i64";
    case Elem::u8: return "u8";
    case Elem::boolean: return "bool";
    case Elem::rescale: return "rescale";
  }
  throw CompilerBug("an element kind has a name");
}

int64_t elem_count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t dim : shape) n *= dim;
  return n;
}

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Type f32(Shape shape) { return {Elem::f32, std::move(shape), std::nullopt}; }

Type q8(Shape shape, double scale, int32_t zero) {
  return {Elem::i8, std::move(shape), Quant::per_tensor(scale, zero)};
}

uint64_t content_hash(const Tensor& tensor) {
  uint64_t hash = 0xcbf29ce484222325u;
  auto mix = [&](uint64_t byte) { hash = (hash ^ (byte & 0xff)) * 0x100000001b3u; };
  mix(static_cast<uint64_t>(tensor.elem));
  for (int64_t dim : tensor.shape)
    for (int i = 0; i < 8; ++i) mix(static_cast<uint64_t>(dim) >> (8 * i));
  for (std::byte b : tensor.bytes) mix(static_cast<uint64_t>(b));
  return hash;
}

}  // namespace fold8::ir
