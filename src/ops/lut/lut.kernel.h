// y[i] = table[x[i] as unsigned byte], docs/arithmetic.md "Tables": entry 0 is that of x = 0, entry 255 that of x = -1.
// y may be x: an Isa's lookup() and lookup_channels() read an element, or a few, before they write there.
#pragma once

#include "core/rows.h"

namespace f8k {
inline namespace v0_1 {

template <class Isa>
void lut(int32_t elems, const int8_t* table, const int8_t* x, int8_t* y) {
  Isa::lookup(elems, table, x, y);
}

// A table of 256 for each channel: x[outer][channels][inner].
struct LutChannels {
  int32_t outer;
  int32_t channels;
  int32_t inner;
};

template <class Isa>
void lut_channels(const LutChannels& s, const int8_t* tables, const int8_t* x, int8_t* y) {
  for (int32_t o = 0; o < s.outer; ++o) {
    if (s.inner == 1) {
      Isa::lookup_channels(s.channels, tables, x, y);
    } else {
      for (int32_t c = 0; c < s.channels; ++c) Isa::lookup(s.inner, tables + 256 * c, x + c * s.inner, y + c * s.inner);
    }
    x += s.channels * s.inner;
    y += s.channels * s.inner;
  }
}

// A row at a time.
template <class Isa>
struct LutRows {
  int32_t elems;  // of a row
  const int8_t* table;
  Rows x;
  Rows y;

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t i) const {
    lut<Isa>(elems, table, x.row(memory, image, i), y.row(memory, image, i));
  }
};

template <class Isa>
struct LutChannelsRows {
  const LutChannels& s;  // of a row
  const int8_t* tables;
  Rows x;
  Rows y;

  template <class Memory>
  void row(Memory memory, int32_t image, int32_t i) const {
    lut_channels<Isa>(s, tables, x.row(memory, image, i), y.row(memory, image, i));
  }
};

}  // namespace v0_1
}  // namespace f8k
