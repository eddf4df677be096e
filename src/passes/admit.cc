// int8 form that no pass made: the text of a program. What lowering checks of its own results is checked here, so that
// nothing reaches the passes behind it, the interpreter or a kernel unchecked.
#include <fmt/format.h>

#include <algorithm>

#include "ir/verifier.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

bool is_activation_type(const Type& type) {
  return type.elem == Elem::f32 || (type.is_q8() && type.quant->is_per_tensor());
}

// Values that are computed or handed over: int8 with one scale and zero point, or float at the program's ends.
void check_activations(const Program& p, Diags& diags) {
  for (ValueId id : p.inputs)
    if (!is_activation_type(p.type(id)))
      diags.push_back(error("F8-0203", fmt::format("input %{} is {}; in int8 form values are q8 of one scale, or f32",
                                                   p[id].name, elem_name(p.type(id).elem)))
                          .in(p.file));
  for (const Node& node : p.nodes)
    for (ValueId id : node.outputs)
      if (!is_activation_type(p.type(id)))
        diags.push_back(p.error_at(node, "F8-0203", "its result is not q8 of one scale and zero point"));
}

bool is_image(const Program& p, ValueId id) { return p.type(id).shape.size() == 4; }

void check_layout(const Program& p, const Node& node, Diags& diags) {
  if (node.op->has(trait::channels_last) && is_image(p, node.outputs[0]) && !node.attrs.has("layout"))
    diags.push_back(p.error_at(node, "F8-0203", "needs layout=\"nhwc\" in int8 form: images have their channels last"));
}

}  // namespace

Result<> admit(Program& p) {
  F8_CHECK(verify(p));
  Diags diags;
  check_activations(p, diags);
  for (const Node& node : p.nodes) check_layout(p, node, diags);
  if (!diags.empty()) return diags;
  for (Node& node : p.nodes) {
    if (node.op->integerize == nullptr || node.op->quant.shares()) continue;  // movers convert attributes alone
    if (auto done = node.op->integerize(p, node); !done)
      diags.insert(diags.end(), done.errors().begin(), done.errors().end());
  }
  if (!diags.empty()) return diags;
  return verify(p);
}

}  // namespace fold8::passes
