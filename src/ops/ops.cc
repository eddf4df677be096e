#include "ops/ops.h"

namespace fold8::ops {

#define FOLD8_OP(name) extern const ir::OpDef op_##name;
#include "ops/ops.list"
#undef FOLD8_OP

ir::OpTable table() {
  static const ir::OpDef* const kTable[] = {
#define FOLD8_OP(name) &op_##name,
#include "ops/ops.list"
#undef FOLD8_OP
  };
  return kTable;
}

const ir::CoreOps& core() {
  static constexpr ir::CoreOps kCore{.quantize = &op_quantize,
                                     .dequantize = &op_dequantize,
                                     .requantize = &op_requantize,
                                     .clamp = &op_clamp,
                                     .reshape = &op_reshape,
                                     .permute = &op_permute,
                                     .slice = &op_slice,
                                     .cat = &op_cat,
                                     .lut = &op_lut};
  return kCore;
}

}  // namespace fold8::ops
