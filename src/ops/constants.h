// Constants that integer ops read beside their activations, as int8.
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"
#include "ir/reals.h"

namespace fold8::ops {

// A q8 constant of these reals, rounded half to even as PyTorch's quantize does, and saturated.
ir::ValueId add_quantized(ir::Program& program, const std::string& name, const ir::Shape& shape,
                          const std::vector<double>& reals, const ir::Quant& quant);

// The constant c' with permute(c', dims) = c. `c` has as many dimensions as `dims`.
ir::ValueId add_unpermuted(ir::Program& program, ir::ValueId c, const std::vector<int64_t>& dims);

// Elements between neighbours along each dimension of a dense tensor.
std::vector<int64_t> dense_strides(const ir::Shape& shape);

}  // namespace fold8::ops
