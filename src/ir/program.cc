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

void Attrs::set(std::string_view key, Attr value) {
  auto at =
      std::lower_bound(list_.begin(), list_.end(), key, [](const auto& a, std::string_view k) { return a.first < k; });
  if (at != list_.end() && at->first == key) {
    at->second = std::move(value);
  } else {
    list_.insert(at, {std::string(key), std::move(value)});
  }
}

void Attrs::erase(std::string_view key) {
  std::erase_if(list_, [&](const auto& a) { return a.first == key; });
}

const Attr* Attrs::find(std::string_view key) const {
  for (const auto& [name, value] : list_)
    if (name == key) return &value;
  return nullptr;
}

namespace {

template <class T>
const T& attr_as(const Attrs& attrs, std::string_view key) {
  const Attr* attr = attrs.find(key);
  const T* value = attr == nullptr ? nullptr : std::get_if<T>(attr);
  if (value == nullptr) throw CompilerBug(fmt::format("attribute '{}' is missing or of another kind", key));
  return *value;
}

}  // namespace

int64_t Attrs::integer(std::string_view key) const { return attr_as<int64_t>(*this, key); }
double Attrs::number(std::string_view key) const { return attr_as<double>(*this, key); }
const std::vector<int64_t>& Attrs::integers(std::string_view key) const {
  return attr_as<std::vector<int64_t>>(*this, key);
}
const std::string& Attrs::text(std::string_view key) const { return attr_as<std::string>(*this, key); }

ValueId Program::find(std::string_view value_name) const {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].name == value_name) return static_cast<ValueId>(i);
  return ValueId::none;
}

ValueId Program::add_value(std::string value_name, Type value_type) {
  std::string unique = value_name;
  for (int i = 1; find(unique) != ValueId::none; ++i) unique = fmt::format("{}.{}", value_name, i);
  values.push_back({.name = std::move(unique), .type = std::move(value_type)});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Program::add_constant(std::string value_name, Type value_type, TensorPtr data) {
  require(data != nullptr && data->elem == value_type.elem && data->shape == value_type.shape,
          "a constant's data has the constant's type");
  const ValueId id = add_value(std::move(value_name), std::move(value_type));
  (*this)[id].constant = std::move(data);
  return id;
}

const Node* Program::producer(ValueId id) const {
  for (const Node& node : nodes)
    if (std::ranges::count(node.outputs, id) != 0) return &node;
  return nullptr;
}

Node* Program::producer(ValueId id) { return const_cast<Node*>(std::as_const(*this).producer(id)); }

std::vector<Node*> Program::users(ValueId id) {
  std::vector<Node*> found;
  for (Node& node : nodes)
    if (std::ranges::count(node.inputs, id) != 0) found.push_back(&node);
  return found;
}

bool Program::is_output(ValueId id) const { return std::ranges::count(outputs, id) != 0; }

Node* Program::sole_user(ValueId id) {
  const std::vector<Node*> readers = users(id);
  return readers.size() == 1 && !is_output(id) ? readers[0] : nullptr;
}

void Program::replace_uses(ValueId from, ValueId to) {
  for (Node& node : nodes) std::ranges::replace(node.inputs, from, to);
  std::ranges::replace(outputs, from, to);
}

void Program::erase_nodes(const std::function<bool(const Node&)>& doomed) { std::erase_if(nodes, doomed); }

Diag Program::error_at(const Node& node, std::string code, std::string message) const {
  Diag diag = error(std::move(code), fmt::format("{}: {}", node.op->name, message)).in(file).at(node.place());
  if (diag.place.node.empty()) diag.place.node = node.name;
  return diag;
}

void Program::compact() {
  std::vector<ValueId> renumbered(values.size(), ValueId::none);
  std::vector<Value> kept;
  auto keep = [&](ValueId& id) {
    if (id == ValueId::none) return;
    ValueId& to = renumbered[static_cast<size_t>(id)];
    if (to == ValueId::none) {
      to = static_cast<ValueId>(kept.size());
      kept.push_back(std::move(values[static_cast<size_t>(id)]));
    }
    id = to;
  };
  std::ranges::for_each(inputs, keep);
  for (Node& node : nodes) {
    std::ranges::for_each(node.inputs, keep);
    std::ranges::for_each(node.outputs, keep);
  }
  std::ranges::for_each(outputs, keep);
  values = std::move(kept);
}

const OpDef* find_op(OpTable ops, std::string_view name) {
  for (const OpDef* op : ops)
    if (op->name == name) return op;
  return nullptr;
}

}  // namespace fold8::ir
