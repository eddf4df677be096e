// Weight order of the DSP microkernels: two output rows side by side, four columns at a time, so that one load and one
// unpacking of the input serve two outputs.
#pragma once

#include "core/weight_order.h"

namespace f8k {
inline namespace v0_1 {
namespace dsp {
inline constexpr WeightOrder kGemmOrder = {2, 4};
}
}  // namespace v0_1
}  // namespace f8k
