// The table of all ops. ops.list has one row per op; the op lives in the folder of that name.
#pragma once

#include "ir/core_ops.h"

namespace fold8::ops {

ir::OpTable table();
const ir::CoreOps& core();

}  // namespace fold8::ops
