// Bytes from one place to another.
#pragma once

#include <stdint.h>
#include <string.h>

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void copy(int32_t bytes, const void* from, void* to) {
  memcpy(to, from, static_cast<uint32_t>(bytes));
}

}  // namespace v0_1
}  // namespace f8k
