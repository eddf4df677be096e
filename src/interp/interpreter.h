// The reference: runs a program in int8 form or later on the host, node by node, by each op's definition. What the
// generated code computes must equal this bit for bit.
#pragma once

#include <functional>

#include "ir/op.h"

namespace fold8::interp {

// Called after each node with its results, in order. For traces.
using Observer = std::function<void(const ir::Node&, std::span<const ir::Tensor* const>)>;

// `inputs`: one tensor for each program input, of its element kind and shape. Returns one for each output.
std::vector<ir::Tensor> run(const ir::Program& program, const std::vector<ir::Tensor>& inputs,
                            const Observer& observer = {});

}  // namespace fold8::interp
