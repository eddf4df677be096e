#include "ir/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace fold8::ir {
namespace {

using Complaint = std::optional<std::string>;

bool valid(const Quant& q, const Type& type) {
  const bool axis_ok = q.is_per_tensor()
                           ? q.scales.size() == 1
                           : static_cast<size_t>(q.axis) < type.shape.size() &&
                                 static_cast<int64_t>(q.scales.size()) == type.shape[static_cast<size_t>(q.axis)];
  for (double s : q.scales)
    if (!std::isfinite(s) || s <= 0) return false;
  return axis_ok && (type.elem != Elem::i8 || (q.zero >= -128 && q.zero <= 127));
}

std::string bad_parameters(const Value& value) {
  return fmt::format(
      "%{}: a scale must be finite and above 0, one for each channel, and an int8 zero point in -128..127", value.name);
}

// --- rules of every form ---

Complaint scales_are_positive_and_finite(const Program& p, const Node& node) {
  for (const auto* ids : {&node.inputs, &node.outputs})
    for (ValueId id : *ids) {
      if (id == ValueId::none) continue;
      const Type& type = p.type(id);
      if (type.quant && !valid(*type.quant, type)) return bad_parameters(p[id]);
    }
  return {};
}

Complaint types_are_as_inferred(const Program& p, const Node& node) {
  const auto types = node.op->infer(p, node);
  if (!types) return types.errors().front().message;
  if (types->size() != node.outputs.size())
    return fmt::format("gives {} results, {} are named", types->size(), node.outputs.size());
  for (size_t i = 0; i < types->size(); ++i) {
    const Type& want = (*types)[i];
    const Type& have = p.type(node.outputs[i]);
    if (want.elem != have.elem || want.shape != have.shape)
      return fmt::format("gives {}{}, the program says {}{}", elem_name(want.elem), shape_text(want.shape),
                         elem_name(have.elem), shape_text(have.shape));
  }
  return {};
}

// The bounds of a fused clamp, and of a clamp by itself: reals in real form, where infer() does not read them.
Complaint bounds_are_reals(const Program& p, const Node& node) {
  if (p.form != Form::torch) return {};
  for (const char* bound : {"min", "max"}) {
    const Attr* attr = node.attrs.find(bound);
    if (attr != nullptr && !std::holds_alternative<double>(*attr)) return fmt::format("{}= needs a real number", bound);
  }
  if (node.attrs.has("min") != node.attrs.has("max")) return "needs both min= and max=, or neither";
  return {};
}

// --- rules from int8 on ---

Complaint no_float_in_the_middle(const Program& p, const Node& node) {
  if (node.op->has(trait::converts_reals)) return {};
  for (ValueId id : node.outputs)
    if (p.type(id).elem == Elem::f32) return "computes in float";
  return {};
}

Complaint parameters_are_shared(const Program& p, const Node& node) {
  if (!node.op->quant.shares()) return {};
  for (const auto* ids : {&node.inputs, &node.outputs})
    for (ValueId id : *ids)
      if (id != ValueId::none && p.type(id).quant != p.type(node.inputs[0]).quant)
        return "its result must have its operand's scale and zero point";
  return {};
}

// --- rules of the placed form ---

Complaint activations_have_offsets(const Program& p, const Node& node) {
  for (ValueId id : node.outputs)
    if (!p[id].offset) return fmt::format("%{} has no place in the arena", p[id].name);
  return {};
}

struct Rule {
  Form from;  // this form and every later one
  Complaint (*check)(const Program&, const Node&);
};

constexpr Rule kRules[] = {
    {Form::torch, scales_are_positive_and_finite}, {Form::torch, types_are_as_inferred},
    {Form::torch, bounds_are_reals},
    {Form::int8, no_float_in_the_middle},          {Form::int8, parameters_are_shared},
    {Form::placed, activations_have_offsets},
};

// Operands are defined before use, results once, outputs at all.
void check_order(const Program& p, Diags& diags) {
  std::set<ValueId> defined(p.inputs.begin(), p.inputs.end());
  auto known = [&](ValueId id) { return id == ValueId::none || p[id].is_constant() || defined.contains(id); };
  for (const Node& node : p.nodes) {
    for (ValueId id : node.inputs)
      if (!known(id))
        diags.push_back(p.error_at(node, "F8-0202", fmt::format("%{} is used before it is defined", p[id].name)));
    for (ValueId id : node.outputs)
      if (!defined.insert(id).second || p[id].is_constant())
        diags.push_back(p.error_at(node, "F8-0202", fmt::format("%{} is defined twice", p[id].name)));
  }
  if (p.outputs.empty()) diags.push_back(error("F8-0202", "the program has no output").in(p.file));
  for (ValueId id : p.inputs)  // of those that a node reads, the node is the place
    if (const auto& type = p.type(id); type.quant && !valid(*type.quant, type) && !p.nodes.is_read(id))
      diags.push_back(error("F8-0203", "input " + bad_parameters(p[id])).in(p.file));
  for (ValueId id : p.values.keys()) {
    const size_t ends = p.inputs.times(id) + p.outputs.times(id);
    if (p[id].buffer != Buffer::arena && (ends != 1 || p[id].is_constant()))
      diags.push_back(
          error("F8-0202", fmt::format("%{} has a buffer of its own, but is not one input or output", p[id].name))
              .in(p.file));
  }
  for (ValueId id : p.outputs)
    if (id == ValueId::none)
      diags.push_back(error("F8-0202", "an output is absent").in(p.file));
    else if (!known(id))
      diags.push_back(error("F8-0202", fmt::format("output %{} is never computed", p[id].name)).in(p.file));
}

}  // namespace

Result<> verify(const Program& program) {
  Diags diags;
  check_order(program, diags);
  if (!diags.empty()) return diags;
  for (const Node& node : program.nodes)
    for (const Rule& rule : kRules) {
      if (program.form < rule.from) continue;
      if (Complaint complaint = rule.check(program, node)) {
        diags.push_back(program.error_at(node, "F8-0203", *complaint));
        break;
      }
    }
  if (!diags.empty()) return diags;
  return ok;
}

}  // namespace fold8::ir
