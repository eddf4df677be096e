// Where generated code finds its values.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

// The value that lives `offset` bytes into the arena.
template <class T>
inline T* at(uint8_t* arena, int32_t offset) {
  return reinterpret_cast<T*>(arena + offset);
}

}  // namespace v0_1
}  // namespace f8k
