// What the microkernels of a target's ISA ask of the packing pass.
#pragma once

#include "core/weight_order.h"
#include "target/target.h"

namespace fold8::target {

// The order in which the matrix microkernel reads weights [outs][ins].
f8k::WeightOrder gemm_order(const Target& target);

}  // namespace fold8::target
