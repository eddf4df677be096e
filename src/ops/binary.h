// What the ops of two operands share: add, sub, mul. Shapes broadcast as PyTorch's do; an operand may be a constant.
//
//   torch   op %a, %b  [min= max=]        f32, f32 -> f32
//   int8    op %a, %b  [clamp=[lo,hi]]    q8, q8 -> q8, each with parameters of its own
//
// A constant that the model quantized to int8, per tensor, keeps its integers; with any other, simplify makes the op a
// line for each element of the constant, which keeps its reals. What is proven of the scales here, the formulas rely on:
// docs/arithmetic.md, "Elementwise".
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"
#include "ir/reals.h"

namespace fold8::ops {

// ---- import

// Argument `name`: a tensor, or a constant from a Python number.
Result<ir::ValueId> import_operand(ir::ImportCall& call, std::string_view name);

// a + alpha * b: emits `sum`, or with a negative alpha `difference`.
Result<> import_sum(ir::ImportCall& call, std::string_view a, std::string_view b, const ir::OpDef& sum,
                    const ir::OpDef& difference);

// ---- shapes and checks

// The fewest dimensions that visit every element of a result in order, and how each operand advances along them.
struct Walk {
  struct Dim {
    int64_t size;
    int64_t a;  // elements between neighbours; 0 where the operand stands still
    int64_t b;
  };
  std::vector<Dim> around;  // outermost first
  Dim run;                  // the innermost: steps of 0 or 1
};
Walk walk_of(const ir::Shape& a, const ir::Shape& b, const ir::Shape& y);
bool too_many_dimensions(const Walk& walk);  // for the kernels

// What the op cannot compute in int8, or nullopt. Called once operands and result have int8 types.
using ScaleCheck = std::optional<std::string> (*)(double a, double b, double y);

Result<std::vector<ir::Type>> infer_binary(const ir::Program& program, const ir::Node& node, ScaleCheck check);
Result<> integerize_binary(ir::Program& program, ir::Node& node, ScaleCheck check);
std::optional<std::vector<int64_t>> permute_binary(ir::Program& program, ir::Node& node,
                                                   const std::vector<int64_t>& dims);

// ---- meaning

// y[i] = clamp(zy + f(a - za, b - zb)) with a and b broadcast to y.
template <class F>
void evaluate_binary(const ir::Evaluation& e, F f);

// Index into each operand for every element of the result, in order.
struct Indices {
  std::vector<size_t> a, b;
};
Indices broadcast_indices(const ir::Shape& a, const ir::Shape& b, const ir::Shape& y);

template <class F>
void evaluate_binary(const ir::Evaluation& e, F f) {
  const Indices at = broadcast_indices(e.in_type(0).shape, e.in_type(1).shape, e.out_type(0).shape);
  const auto a = e.in[0]->as<int8_t>();
  const auto b = e.in[1]->as<int8_t>();
  const int32_t za = e.in_type(0).quant->zero;
  const int32_t zb = e.in_type(1).quant->zero;
  const int64_t zy = e.out_type(0).quant->zero;
  const ir::Bounds bounds = ir::clamp_bounds(e.node);
  for (size_t i = 0; i < at.a.size(); ++i) {
    const int32_t scaled = f(a[at.a[i]] - za, b[at.b[i]] - zb);
    e.out[0]->as<int8_t>()[i] = static_cast<int8_t>(quant::clamp(zy + scaled, bounds.lo, bounds.hi));
  }
}

// ---- device

// f8k::BroadcastShape of a walk.
ir::KernelStruct broadcast_struct(Walk walk);

// The device function `function`_elements when no operand stands still or starts over, else `function`_broadcast.
// `arithmetic` is its struct of zero points and multipliers; `swapped`: the kernel's first operand is the node's
// second. Its template arguments are `signs`, then how far each operand advances along a run: 0 or 1.
ir::KernelCall binary_call(const ir::Program& program, const ir::Node& node, const std::string& function,
                           const std::string& header, std::vector<std::string> signs, ir::KernelStruct arithmetic,
                           bool swapped);

// A call of "f8k::sum_elements" and the like as the object f8k::SumRows, which makes a row at a time; nullopt where an
// operand is broadcast or constant.
std::optional<ir::KernelCall> binary_rows(const ir::Program& program, const ir::Node& node,
                                          const std::vector<ir::KernelCall>& calls);

// ---- add and sub: y = zy + R(Ra((a - za) << 20) +- Rb((b - zb) << 20))
//
// With the attribute alpha=, above 0, it is a +- alpha * b: b as if its scale were alpha times as large.

Result<std::vector<ir::Type>> infer_sum(const ir::Program& program, const ir::Node& node);
Result<> integerize_sum(ir::Program& program, ir::Node& node);
// The packed form: ops/affine.h.
Result<> pack_sum(ir::Program& program, ir::Node& node, int32_t sign_of_b);
void evaluate_sum(const ir::Evaluation& e, int32_t sign_of_b);
std::vector<ir::KernelCall> calls_sum(const ir::Program& program, const ir::Node& node, int32_t sign_of_b);

}  // namespace fold8::ops
