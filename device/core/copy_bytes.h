// Small copies and fills without the library. The empty assembly keeps compilers from finding memcpy and memset in the
// loops: a call costs more than a few bytes do, and would be the only thing of libc in an image.
#pragma once

#include <stdint.h>
#include <string.h>

namespace f8k {
inline namespace v0_1 {

inline void fill_bytes(int8_t* to, int32_t value, int32_t bytes) {
  for (int32_t i = 0; i < bytes; ++i) {
    to[i] = static_cast<int8_t>(value);
    asm volatile("" : : : "memory");
  }
}

// By words where the core loads and stores them at any address.
template <bool kUnalignedWords>
inline void copy_bytes(int8_t* to, const int8_t* from, int32_t bytes) {
  if (kUnalignedWords)
    for (; bytes >= 4; bytes -= 4, from += 4, to += 4) {
      memcpy(to, from, 4);
      asm volatile("" : : : "memory");
    }
  for (int32_t i = 0; i < bytes; ++i) {
    to[i] = from[i];
    asm volatile("" : : : "memory");
  }
}

}  // namespace v0_1
}  // namespace f8k
