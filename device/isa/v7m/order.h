// Weight order of the ARMv7-M microkernels: plain rows.
#pragma once

#include "core/weight_order.h"

namespace f8k {
inline namespace v0_1 {
namespace v7m {
inline constexpr WeightOrder kGemmOrder = {1, 1};
}
}  // namespace v0_1
}  // namespace f8k
