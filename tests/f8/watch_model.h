// Before emitted models in the program that watch.cc builds: marks, and copies that are recorded, too.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern "C" {
void watch_mark(void* arena);
void* watch_memcpy(void* to, const void* from, size_t bytes);
void* watch_memset(void* to, int value, size_t bytes);
}
#define memcpy watch_memcpy
#define memset watch_memset

namespace watch {

// f8k::run_rows() of a single op, with a mark before each row.
template <class Memory, class Op>
void rows(Memory memory, const uint8_t*, int32_t count, const Op& op) {
  for (int32_t row = 0; row < count; ++row) {
    watch_mark(memory);
    op.row(memory, 0, row);
  }
}

}  // namespace watch
