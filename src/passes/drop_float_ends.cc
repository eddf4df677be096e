// Removes the quantize after each float input and the dequantize before each float output: the caller exchanges int8,
// under the scale and zero point that the header states.
#include <fmt/format.h>

#include <algorithm>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

Result<> drop_quantize(Program& p, const CoreOps& core, size_t i) {
  const ValueId input = p.inputs[i];
  ValueId q = ValueId::none;
  for (const Node* user : p.users(input)) {
    if (user->op != core.quantize || q != ValueId::none || user->attrs.has("clamp"))
      return error(
                 "F8-0306",
                 fmt::format("input %{} cannot be int8: it is quantized in more than one way, or not over all of int8",
                             p[input].name))
          .in(p.file)
          .note("keep its float end: --io float32");
    q = user->outputs[0];
  }
  if (q == ValueId::none) return ok;  // nobody reads it
  p.swap_names(q, input);  // the caller knows the input by its name
  p.inputs.set(i, q);
  return ok;
}

}  // namespace

Result<> drop_float_ends(Program& p, Context& context) {
  const CoreOps& core = context.core;
  for (size_t i = 0; i < p.inputs.size(); ++i)
    if (p.type(p.inputs[i]).elem == Elem::f32) F8_CHECK(drop_quantize(p, core, i));
  for (size_t i = 0; i < p.outputs.size(); ++i)
    if (const Node* end = p.producer(p.outputs[i]); end != nullptr && end->op == core.dequantize)
      p.outputs.set(i, end->inputs[0]);
  p.erase_nodes([&](const Node& node) {
    return (node.op == core.quantize && p.is_input(node.outputs[0])) ||
           (node.op == core.dequantize && !p.is_output(node.outputs[0]));
  });
  return ok;
}

}  // namespace fold8::passes
