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

}  // namespace fold8::ops
