// Weight order of the MVE microkernels: plain rows; tails are predicated, so nothing is padded.
#pragma once

#include "core/weight_order.h"

namespace f8k {
inline namespace v0_1 {
namespace mve {
inline constexpr WeightOrder kGemmOrder = {1, 1};
}
}  // namespace v0_1
}  // namespace f8k
