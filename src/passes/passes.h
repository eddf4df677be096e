// Every pass: a free function on a Program, no state. pipeline.cc has their order; who reads it knows the compiler.
#pragma once

#include <functional>

#include "ir/core_ops.h"
#include "ir/program.h"
#include "target/options.h"
#include "target/target.h"

namespace fold8::passes {

// How the caller hands over images: as exported, or channels last, as the kernels read them.
enum class InputLayout { nhwc, nchw };

// What a pass may ask for beside the program, and where it reports what it did that a user should know.
struct Context {
  ir::CoreOps core = {};
  InputLayout input_layout = InputLayout::nhwc;
  int64_t macs_as_given = 0;                                                  // before any channel was dropped
  Diags reports = {};                                                         // severity note or warning
  std::function<void(const char* pass, const ir::Program&)> after_pass = {};  // lower() calls it, for those who watch
};

using Pass = Result<> (*)(ir::Program&, Context&);

// ---- torch form
Result<> drop_dead(ir::Program&, Context&);           // nodes and constants that no output needs (in any form)
Result<> check_quantization(ir::Program&, Context&);  // F8-0308, F8-0309: not quantized, not calibrated
Result<> fold_constants(ir::Program&, Context&);      // data movement and quantization of constants, done now
Result<> fuse_clamp(ir::Program&, Context&);      // clamp(op(x)) into op where op clamps for free (torch and int8 form)
Result<> spread_qparams(ir::Program&, Context&);  // parameters through ops that only move data
Result<> compose_tables(ir::Program&, Context&);  // chains of elementwise ops on one value into tables
Result<> fold_qparams(ir::Program&, Context&);    // torch -> int8: DQ/Q nodes become parameters of operands and results

// ---- int8 form
Result<> align_qparams(ir::Program&, Context&);      // requantizes where an op needs equal parameters and has not
Result<> merge_requantizes(ir::Program&, Context&);  // two requantizes in a row into one, where exact
Result<> drop_float_ends(ir::Program&, Context&);    // int8 inputs and outputs: quantize/dequantize at the ends removed

Result<> simplify(ir::Program&, Context&);       // each op's own rewrites, until nothing changes (torch and int8 form)
Result<> assign_layout(ir::Program&, Context&);  // NCHW -> NHWC; permutes moved to where they cost nothing

Result<> drop_channels(ir::Program&, Context&);  // channels that are constant or unread, exactly

// The ends of the compiled model: what the caller hands over and gets back.
enum class Ends { int8, float32 };

// Which ends the caller keeps in buffers of his own, and whether such inputs may be written over.
struct CallerOwns {
  bool inputs = false;
  bool outputs = false;
  bool consume_inputs = false;
};

// int8 form: an output that is a constant becomes a copy, as the caller looks for it in RAM.
void copy_constant_outputs(ir::Program& program, const ir::CoreOps& core);

// int8 form: gives ends their buffers (Value::buffer); an output that is also another end becomes a copy.
void own_ends(ir::Program& program, const ir::CoreOps& core, const CallerOwns& owns);

// Nodes [first, end) of a program in int8 form: from one image to one image.
struct Stage {
  size_t first = 0;
  size_t end = 0;
};

// The stages that can be computed in tiles, all from the first node that can, the shortest first.
std::vector<Stage> patchable_stages(const ir::Program& program);

// int8 form: computes a stage's result in rows x columns tiles, one after the other, each from what it needs of the
// stage's input. Numbers stay the same; what neighbouring tiles both need is computed twice.
void patch(ir::Program& program, const ir::CoreOps& core, const Stage& stage, int64_t rows, int64_t columns);

// Multiplications of an int8 by an int8 weight in one inference.
int64_t total_macs(const ir::Program& program);

// torch -> int8, verified after every pass. `blockers`: why the program, some of whose nodes are unread, is refused;
// what else stands in its way is told with them.
Result<> lower(ir::Program& program, Context& context, Ends ends, Diags blockers = {});

// Checks int8 form that no pass made as lower() checks its own.
Result<> admit(ir::Program& program);

// int8 -> packed for one target, verified.
Result<> pack(ir::Program& program, const target::Target& target, const target::CompileOptions& options = {});

}  // namespace fold8::passes
