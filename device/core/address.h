// Where generated code finds its values: an offset into the arena, or into a buffer of the caller's own.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

// The value that lives `offset` bytes into the arena.
template <class T>
inline T* at(uint8_t* arena, int32_t offset) {
  return reinterpret_cast<T*>(arena + offset);
}

// The arena at bases[0] and buffers of the caller's behind it. The upper bits of an offset say which.
struct Buffers {
  uint8_t* const* bases;
};

inline constexpr int32_t kBufferShift = 26;

template <class T>
inline T* at(Buffers buffers, int32_t offset) {
  return at<T>(buffers.bases[offset >> kBufferShift], offset & ((1 << kBufferShift) - 1));
}

}  // namespace v0_1
}  // namespace f8k
