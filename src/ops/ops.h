// The table of all ops. ops.list has one row per op; the op lives in the folder of that name.
#pragma once

#include "ir/op.h"

namespace fold8::ops {

ir::OpTable table();

}  // namespace fold8::ops
