// A row of windows three columns wide that stand side by side: neighbours share columns. An ISA that loads each column
// once makes the results of all of them in gemm_columns_row(stream, out, columns, buffer, y).
#pragma once

#include <stdint.h>

namespace f8k {
inline namespace v0_1 {

struct ColumnsRow {
  const int8_t* const* rows;  // under each row of the windows; null outside the image
  int32_t kernel_h, in_w, ins;
  int32_t pad_left;  // columns of the first window that lie before the image
  int32_t windows;
  int32_t zero;  // what padding holds
};

}  // namespace v0_1
}  // namespace f8k
