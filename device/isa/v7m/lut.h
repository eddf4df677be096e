// Tables (ops/lut): a load, a load from the table and a store for each element. Four loads come before four stores, so
// that a core that overlaps loads does; byte loads need no alignment. The loop counts up to 0, with ends as bases.
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {
namespace v7m {

inline void lookup(int32_t elems, const int8_t* table, const int8_t* x, int8_t* y) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(x);
  for (; elems >= 4; elems -= 4, bytes += 4, y += 4) {
    const int8_t a = table[bytes[0]];
    const int8_t b = table[bytes[1]];
    const int8_t c = table[bytes[2]];
    const int8_t d = table[bytes[3]];
    y[0] = a;
    y[1] = b;
    y[2] = c;
    y[3] = d;
  }
  for (int32_t i = 0; i < elems; ++i) y[i] = table[bytes[i]];
}

// Element c from the table at tables + 256 * c.
inline void lookup_channels(int32_t channels, const int8_t* tables, const int8_t* x, int8_t* y) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(x);
  for (; channels >= 4; channels -= 4, bytes += 4, y += 4, tables += 1024) {
    const int8_t a = tables[bytes[0]];
    const int8_t b = tables[bytes[1] + 256];
    const int8_t c = tables[bytes[2] + 512];
    const int8_t d = tables[bytes[3] + 768];
    y[0] = a;
    y[1] = b;
    y[2] = c;
    y[3] = d;
  }
  for (int32_t i = 0; i < channels; ++i) y[i] = tables[bytes[i] + 256 * i];
}

}  // namespace v7m
}  // namespace v0_1
}  // namespace f8k
