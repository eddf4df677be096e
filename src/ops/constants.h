// Constants that integer ops read beside their activations: the reals that stand behind one, and its int8 form.
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"

namespace fold8::ops {

// The reals of an f32 constant, or of a quantized integer one. nullopt for any other kind.
std::optional<std::vector<double>> real_values(const ir::Value& constant);

// A q8 constant of these reals, rounded half to even as PyTorch's quantize does, and saturated.
ir::ValueId add_quantized(ir::Program& program, const std::string& name, const ir::Shape& shape,
                          const std::vector<double>& reals, const ir::Quant& quant);

// The constant c' with permute(c', dims) = c. `c` has as many dimensions as `dims`.
ir::ValueId add_unpermuted(ir::Program& program, ir::ValueId c, const std::vector<int64_t>& dims);

// Elements between neighbours along each dimension of a dense tensor.
std::vector<int64_t> dense_strides(const ir::Shape& shape);

}  // namespace fold8::ops
