// The rescale of device/isa/v6m/stream.h: multiplier and offsets with which 32-bit arithmetic gives every result of one
// channel exactly.
#pragma once

#include <cstdint>
#include <optional>

#include "isa/v6m/stream.h"
#include "quant/rescale.h"

namespace fold8::target {

// What a channel's requantization is: clamp(zero + R(sum), -128, 127) for sums in least..most.
struct Requantization {
  quant::Rescale rescale;
  int32_t zero = 0;
  int64_t least = 0;
  int64_t most = 0;

  int32_t operator()(int64_t sum) const;
};

struct ScaleOfSums {
  f8k::v6m::Scale scale;
  int64_t first = 0;  // taken off the sum beforehand

  int32_t operator()(int64_t sum) const;
};

// Nullopt if there is none: y is a monotone function of the sum, so that it is exact when it steps where it should, at
// most 255 places, and those are checked here.
std::optional<ScaleOfSums> find_scale(const Requantization& wanted);

// Where d = sum - first begins.
int32_t first_of(const f8k::v6m::Scale& scale);

// Back from what find_scale() gave: the same zero and, but where all results are the same, the same rescale. `wanted`:
// least and most; the rest is ignored.
Requantization requantization_of(const ScaleOfSums& scale, Requantization wanted);

}  // namespace fold8::target
