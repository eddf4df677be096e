// What linear and convolution share: int32 accumulators over constant int8 weights [outs, ...], a bias, one rescale.
// Operands in int8 form: 0 = x (q8, per tensor), 1 = weight (constant q8, zero point 0, per tensor or axis 0),
// 2 = bias (constant q32 of scale sx * sw[o]) or absent. docs/arithmetic.md sections 2 and 3 have the formulas.
#pragma once

#include <functional>
#include <vector>

#include "ir/infer.h"
#include "target/options.h"
#include "target/stream.h"

namespace fold8::ops {

// Checks the operands, turns a real bias (or one of another scale) into q32, and proves that no accumulator leaves
// int32 and that every effective scale is one the kernels can apply.
Result<> integerize_weighted(ir::Program& program, ir::Node& node);

// kernel_sum[o] = b[o] - zx * sum_i w[o][i]
std::vector<int32_t> kernel_sums(const ir::Program& program, const ir::Node& node);

// sx * sw[o] / sy as multiplier and shift: one entry for per-tensor weights, else one for each output channel.
std::vector<quant::Rescale> rescales(const ir::Program& program, const ir::Node& node);

// int8 -> packed operands: x, `packed` weights (i8[bytes]), kernel_sum (i32[outs]), rescale table.
void replace_by_packed(ir::Program& program, ir::Node& node, const std::vector<int8_t>& packed);

// A matrix for the target's streams: channels first .. first + outs of the node, their sums and scales filled in,
// weights (outs x ins, zeros) the caller's to fill.
target::Matrix stream_matrix(const ir::Program& program, const ir::Node& node, int64_t first, int64_t outs,
                             int64_t ins);

// What weights are packed into for the target's microkernels; null, and why="..." on the node, where compact kernels are
// preferred. Null, too, where the ISA has none.
const target::StreamFormat* chosen_streams(ir::Node& node, const target::Target& target,
                                           target::Prefer prefer);

// int8 -> packed operands x and one stream (i32 words, one matrix after the other), if the format's proofs hold for
// every matrix. Sets the attribute stream=isa, or why="the proof that failed". `pack`: one of StreamFormat's.
bool replace_by_streams(ir::Program& program, ir::Node& node, const target::Target& target,
                        const std::vector<target::Matrix>& matrices,
                        const std::function<target::Stream(const target::Matrix&)>& pack);

}  // namespace fold8::ops
