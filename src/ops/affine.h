// The packed form of ops whose result is a rounded sum of scaled int8 operands: add, sub, requantize.
//
//   packed  op ... affine=[a,b,c,shift]    y = clamp((a * x + b * z + c) >> shift), the same integers as in int8 form
//           op ... why="..."               there is none: the kernel computes as the int8 form does
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/infer.h"
#include "quant/affine.h"

namespace fold8::ops {

void set_affine(ir::Node& node, const std::optional<quant::Affine>& affine);
std::optional<quant::Affine> affine_of(const ir::Node& node);
Result<> check_affine(const ir::Node& node);

// What device/core/affine.h takes; the shift and whether there is a clamp, device/core/product.h too.
ir::KernelStruct affine_struct(const quant::Affine& affine);
std::vector<std::string> shift_template_args(const ir::Node& node, int shift);

}  // namespace fold8::ops
