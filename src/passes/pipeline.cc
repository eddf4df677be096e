// The order of the passes. After each, the program is checked against the rules of its form.
#include <fmt/format.h>

#include <set>

#include "ir/verifier.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

struct Step {
  const char* name;
  Pass run;
  ir::Form to;  // form after it
  const char* why;
};

// One step: between the two, ops that need equal parameters may stand without them.
Result<> fold_and_align(ir::Program& program, Context& context) {
  F8_CHECK(fold_qparams(program, context));
  return align_qparams(program, context);
}

constexpr Step kReal[] = {
    {"drop_dead", drop_dead, ir::Form::torch, "exporters leave float weights behind that nothing reads"},
    {"check_quantization", check_quantization, ir::Form::torch, "all that follows takes scales at their word"},
    {"fold_constants", fold_constants, ir::Form::torch, "a transposed weight is a weight"},
    {"simplify", simplify, ir::Form::torch, "a batch norm belongs to the weights before it"},
    {"fuse_clamp", fuse_clamp, ir::Form::torch, "relu stands between an op and its quantize"},
    {"spread_qparams", spread_qparams, ir::Form::torch, "some quantizers leave views between q and dq, or none"},
    {"compose_tables", compose_tables, ir::Form::torch, "what depends on one int8 value is a table of 256"},
    {"spread_qparams", spread_qparams, ir::Form::torch, "tables have parameters that views behind them take"},
};

constexpr Step kFold = {"fold_qparams and align_qparams", fold_and_align, ir::Form::int8,
                        "from here on there are only integers; a view of other parameters is a requantize and a view"};

constexpr Step kIntegers[] = {
    {"fuse_clamp", fuse_clamp, ir::Form::int8, "a quantized relu after a quantized op of the same parameters"},
    {"merge_requantizes", merge_requantizes, ir::Form::int8,
     "aligning made some, and the quantizer leaves some at the ends"},
    {"simplify", simplify, ir::Form::int8, "a pad of zero points is the convolution's own"},
};

constexpr Step kInt8Ends = {"drop_float_ends", drop_float_ends, ir::Form::int8, "the caller exchanges int8"};

constexpr Step kLayout = {"assign_layout", assign_layout, ir::Form::int8, "kernels read channels last"};
constexpr Step kChannels = {"drop_channels", drop_channels, ir::Form::int8,
                            "trained networks have channels that do nothing"};

// A pass that breaks a rule is fold8's fault, unless the rule is about the user's data; either way nothing goes on.
Result<> sound_after(const Step& step, const ir::Program& program, const Context& context) {
  require(program.form == step.to, "a pass leaves the form that the pipeline says");
  auto verdict = ir::verify(program);
  if (verdict) {
    if (context.after_pass) context.after_pass(step.name, program);
    return ok;
  }
  Diags diags = verdict.take_errors();
  for (Diag& diag : diags) diag.note(fmt::format("found after pass {}", step.name));
  return diags;
}

Result<> checked(const Step& step, ir::Program& program, Context& context) {
  F8_CHECK(step.run(program, context));
  return sound_after(step, program, context);
}

// Of a node that is to blame already nothing more is said.
void append_new(Diags& blockers, Diags more) {
  std::set<std::string> blamed;
  for (const Diag& diag : blockers) blamed.insert(diag.place.node);
  for (Diag& diag : more)
    if (diag.place.node.empty() || !blamed.contains(diag.place.node)) blockers.push_back(std::move(diag));
}

// Every step runs, also behind one that failed: a user is told at once all that stands in the way.
Result<> to_integers(ir::Program& program, Context& context, Diags blockers) {
  if (blockers.empty()) F8_CHECK(ir::verify(program));
  for (const Step& step : kReal) {
    auto done = step.run(program, context);
    if (!done && step.run == check_quantization) {  // every node would be to blame
      blockers.insert(blockers.begin(), done.errors().begin(), done.errors().end());
      return blockers;
    }
    if (!done) append_new(blockers, done.take_errors());
    if (blockers.empty()) F8_CHECK(sound_after(step, program, context));
  }
  if (blockers.empty()) return checked(kFold, program, context);
  if (auto done = fold_qparams(program, context); !done) append_new(blockers, done.take_errors());
  return blockers;
}

}  // namespace

int64_t total_macs(const ir::Program& program) {
  int64_t total = 0;
  for (const ir::Node& node : program.nodes)
    if (node.op->macs != nullptr) total += node.op->macs(program, node);
  return total;
}

Result<> lower(ir::Program& program, Context& context, Ends ends, Diags blockers) {
  require(program.form == ir::Form::torch, "lower() starts from the torch form");
  F8_CHECK(to_integers(program, context, std::move(blockers)));
  for (const Step& step : kIntegers) F8_CHECK(checked(step, program, context));
  if (ends == Ends::int8) F8_CHECK(checked(kInt8Ends, program, context));
  F8_CHECK(checked(kLayout, program, context));
  context.macs_as_given = total_macs(program);
  F8_CHECK(checked(kChannels, program, context));
  program.compact();
  return ok;
}

Result<> pack(ir::Program& program, const target::Target& target, const target::CompileOptions& options) {
  require(program.form == ir::Form::int8, "pack() starts from the int8 form");
  for (ir::Node& node : program.nodes)
    if (node.op->pack != nullptr) F8_CHECK(node.op->pack(program, node, target, options));
  program.form = ir::Form::packed;
  program.compact();
  return ir::verify(program);
}

}  // namespace fold8::passes
