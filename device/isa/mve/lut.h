// Tables (ops/lut) by gathers: sixteen bytes at a time, or eight where each channel has a table of its own.
#pragma once

#include <arm_mve.h>

namespace f8k {
inline namespace v0_1 {
namespace mve {

inline void lookup(int32_t elems, const int8_t* table, const int8_t* x, int8_t* y) {
  for (; elems >= 16; elems -= 16, x += 16, y += 16)
    vstrbq_s8(y, vldrbq_gather_offset_s8(table, vreinterpretq_u8_s8(vldrbq_s8(x))));
  if (elems == 0) return;
  const mve_pred16_t rest = vctp8q(static_cast<uint32_t>(elems));
  const uint8x16_t bytes = vreinterpretq_u8_s8(vldrbq_z_s8(x, rest));
  vstrbq_p_s8(y, vldrbq_gather_offset_z_s8(table, bytes, rest), rest);
}

// Element c from the table at tables + 256 * c: offsets of eight channels fit 16 bits.
inline void lookup_channels(int32_t channels, const int8_t* tables, const int8_t* x, int8_t* y) {
  const uint16x8_t starts = vmulq_n_u16(vidupq_n_u16(0, 1), 256);
  for (; channels > 0; channels -= 8, x += 8, y += 8, tables += 8 * 256) {
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(channels));
    const uint16x8_t bytes = vldrbq_z_u16(reinterpret_cast<const uint8_t*>(x), lanes);
    const int16x8_t results = vldrbq_gather_offset_z_s16(tables, vaddq_u16(bytes, starts), lanes);
    vstrbq_p_s16(y, results, lanes);
  }
}

}  // namespace mve
}  // namespace v0_1
}  // namespace f8k
