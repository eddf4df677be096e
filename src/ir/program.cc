#include "ir/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/op.h"

namespace fold8::ir {
namespace {

constexpr std::pair<Form, const char*> kForms[] = {
    {Form::torch, "torch"}, {Form::int8, "int8"}, {Form::packed, "packed"}, {Form::placed, "placed"}};

}  // namespace

const char* form_name(Form form) {
  for (const auto& [f, name] : kForms)
    if (f == form) return name;
  throw CompilerBug("a form has a name");
}

std::optional<Form> form_from_name(std::string_view text) {
  for (const auto& [f, name] : kForms)
    if (text == name) return f;
  return std::nullopt;
}

// ---- EndList

size_t EndList::times(ValueId id) const {
  const auto found = times_.find(id);
  return found == times_.end() ? 0 : found->second;
}

void EndList::count() {
  times_.clear();
  for (ValueId id : ids_) ++times_[id];
}

void EndList::set(size_t i, ValueId id) {
  require(i < ids_.size(), "an input or output that is set is there");
  --times_[ids_[i]];
  ++times_[id];
  ids_[i] = id;
}

void EndList::push_back(ValueId id) {
  ids_.push_back(id);
  ++times_[id];
}

void EndList::replace(ValueId from, ValueId to) {
  if (!contains(from)) return;
  std::ranges::replace(ids_, from, to);
  count();
}

// ---- Program

ValueId Program::find(std::string_view value_name) const {
  const auto found = by_name_.find(std::string(value_name));
  return found == by_name_.end() ? ValueId::none : found->second;
}

ValueId Program::add_value(std::string value_name, Type value_type) {
  std::string unique = value_name;
  if (by_name_.contains(unique)) {
    int& suffix = next_suffix_[value_name];
    do unique = fmt::format("{}.{}", value_name, ++suffix);
    while (by_name_.contains(unique));
  }
  const ValueId id = values.push_back({.name = Name(unique), .type = std::move(value_type)});
  by_name_.emplace(std::move(unique), id);
  return id;
}

ValueId Program::add_constant(std::string value_name, Type value_type, TensorPtr data) {
  require(data != nullptr && data->elem == value_type.elem && data->shape == value_type.shape,
          "a constant's data has the constant's type");
  const ValueId id = add_value(std::move(value_name), std::move(value_type));
  (*this)[id].constant = std::move(data);
  return id;
}

void Program::swap_names(ValueId a, ValueId b) {
  std::swap(values[a].name.text_, values[b].name.text_);
  by_name_[values[a].name] = a;
  by_name_[values[b].name] = b;
}

std::vector<const Node*> Program::users(ValueId id) const {
  const std::vector<Node*> found = nodes.users(id);
  return {found.begin(), found.end()};
}

void Program::replace_uses(ValueId from, ValueId to) {
  nodes.replace_uses(from, to);
  outputs.replace(from, to);
}

Diag Program::error_at(const Node& node, std::string code, std::string message) const {
  const Attr* function = node.attrs.find("function");  // of an op that stands for many
  const auto* own = function == nullptr ? nullptr : std::get_if<std::string>(function);
  Diag diag = error(std::move(code), fmt::format("{}: {}", own == nullptr ? node.op->name : *own, message))
                  .in(file)
                  .at(node.place());
  if (diag.place.node.empty()) diag.place.node = node.name;
  return diag;
}

void Program::compact() {
  IndexedVector<ValueId, ValueId> renumbered(values.size(), ValueId::none);
  IndexedVector<ValueId, Value> kept;
  by_name_.clear();
  next_suffix_.clear();
  auto keep = [&](ValueId id) {
    if (id == ValueId::none) return id;
    ValueId& to = renumbered[id];
    if (to == ValueId::none) {
      to = kept.push_back(std::move(values[id]));
      by_name_.emplace(kept[to].name, to);
    }
    return to;
  };
  auto renumber = [&](EndList& ends) {
    std::vector<ValueId> ids;
    for (ValueId id : ends) ids.push_back(keep(id));
    ends = std::move(ids);
  };
  renumber(inputs);
  nodes.renumber(keep);
  renumber(outputs);
  values = std::move(kept);
}

const OpDef* find_op(OpTable ops, std::string_view name) {
  for (const OpDef* op : ops)
    if (op->name == name) return op;
  return nullptr;
}

}  // namespace fold8::ir
