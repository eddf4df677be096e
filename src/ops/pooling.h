// What pools share: windows that slide over the two spatial dimensions of an image, their import and their checks.
//
//   torch   pool %x kernel=[h,w] stride=[h,w] pad=[top,bottom,left,right] [overhang=[h,w]] [dilation=[h,w]]
//           pool %x out=[h,w]            adaptive: window i of o over n elements is [floor(i*n/o), ceil((i+1)*n/o))
//           x [N,C,H,W]; with layout="nhwc" x and y are [N,H,W,C]
//
// pad < 0: windows begin, or end, inside the image. `overhang`: how far the last window may reach beyond the padding (PyTorch's ceil_mode); such elements never count.
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"

namespace fold8::ops {

using Ints = std::vector<int64_t>;

// ---- geometry

struct Pool {
  int64_t batch, channels;
  ir::WindowAxis h, w;
  bool nhwc;

  size_t in_index(int64_t n, int64_t c, int64_t y, int64_t x) const;
  size_t out_index(int64_t n, int64_t c, int64_t y, int64_t x) const;
};

// Of a node that infer_pool() accepts.
Pool pool_of(const ir::Program& program, const ir::Node& node);

// Access::windows
std::optional<ir::Windows> pool_windows(const ir::Program& program, const ir::Node& node);

// Checks operand 0 and the window attributes: every window sees an element of the image. `dilates`: the op has
// dilation.
Result<std::vector<ir::Type>> infer_pool(const ir::Program& program, const ir::Node& node, bool dilates);

// From int8 form on, operand 0 and the result are int8 with one scale and zero point each; else what is wrong.
std::optional<std::string> not_quantized(const ir::Program& program, const ir::Node& node);

// ---- import: PyTorch's pools of one or two spatial dimensions, with or without a batch dimension

// Operand `arg`, which emit_pool() reshapes to [N,C,H,W] where it is not of that rank.
struct PoolOperand {
  ir::ValueId x = ir::ValueId::none;
  ir::Shape given;     // its shape in the graph
  size_t spatial = 2;  // dimensions that windows slide along
  Ints sizes() const;  // H and W
};
Result<PoolOperand> pool_operand(const ir::ImportCall& call, const char* arg, size_t spatial);

// kernel_size, stride, padding, ceil_mode and, where the row has it, dilation.
Result<ir::Attrs> window_attrs(const ir::ImportCall& call, const PoolOperand& operand);

// output_size: out=, or the regular windows that it comes to.
Result<ir::Attrs> adaptive_attrs(const ir::ImportCall& call, const PoolOperand& operand);

Result<> emit_pool(ir::ImportCall& call, const ir::OpDef& op, const PoolOperand& operand, ir::Attrs attrs);

// Names one more result of the call without computing it: the error of reading it has that name.
void leave_out_result(ir::ImportCall& call, ir::Elem elem, const ir::Shape& shape, const char* what);

// ---- averages: y = zy + R((sum of n terms x - zx) * 2^up),  R = scale * 2^-up
// The shift keeps the first of R's two roundings far below a step: a few terms at a scale like 1/4 would show it.

// The largest `up` for which n terms, |x - zx| < 2^8, shifted stay inside int32 and R has a multiplier. `scale`: the
// least that R stands for.
int headroom(int64_t n, double scale);

// ---- device

// f8k::WindowAxis
ir::KernelStruct window_axis(const ir::WindowAxis& axis);

// Its rows in and out, as a kernel's object takes them.
ir::KernelRows rows_in(const ir::Node& node, const Pool& pool);
ir::KernelRows rows_out(const ir::Node& node, const Pool& pool);

// The same pool with one row, where a single window covers the whole image.
Pool with_merged_rows(Pool pool);

}  // namespace fold8::ops
