// The reals that stand behind a constant, and how operands of other shapes spread over a result.
#pragma once

#include <optional>
#include <vector>

#include "ir/program.h"

namespace fold8::ir {

// The reals of an f32 constant, or of a quantized integer one. nullopt for any other kind.
std::optional<std::vector<double>> real_values(const Value& constant);

// The shape of an elementwise result, as PyTorch broadcasts; nullopt where the operands do not fit.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

// The element of an operand of shape `from` that element `flat` of a result of shape `to` reads.
int64_t broadcast_index(const Shape& from, const Shape& to, int64_t flat);

}  // namespace fold8::ir
