// A scale_bias in torch form that goes into the weights and the bias of a linear or convolution.
#pragma once

#include "ir/infer.h"

namespace fold8::ops {

// Of the op before it, whose result it alone reads and nothing quantizes; also through the reshapes that a conv1d comes
// to. True if the node is gone; false where it has to stay.
Result<bool> fold_into_weights_before(ir::Program& program, ir::Node& node);

// Of the op after it, which alone reads its result.
Result<bool> fold_into_weights_after(ir::Program& program, ir::Node& node);

}  // namespace fold8::ops
