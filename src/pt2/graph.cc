#include "pt2/graph.h"

#include <fmt/format.h>

#include "pt2/place.h"

namespace fold8::pt2 {
namespace {

Result<> add_result(const Json& tensor, GraphNode& node) {
  F8_TRY(std::string name, string_member(tensor, "name"));
  node.results.push_back(std::move(name));
  return ok;
}

Result<> read_results(const Json& outputs, GraphNode& node) {
  for (const Json& entry : outputs) {
    F8_TRY(const Union output, to_union(entry, "a result"));
    if (output.kind == "as_tensor") {
      F8_CHECK(add_result(*output.value, node));
    } else if (output.kind == "as_tensors") {
      F8_CHECK(to_array(*output.value, "'as_tensors'"));
      for (const Json& tensor : *output.value) F8_CHECK(add_result(tensor, node));
    } else if (output.kind.starts_with("as_sym_")) {
      node.is_symbolic = true;
    } else {
      node.odd_result = output.kind;
    }
  }
  if (!node.results.empty() || !node.odd_result.empty()) node.is_symbolic = false;
  return ok;
}

Result<> read_args(const Json& inputs, GraphNode& node) {
  for (const Json& entry : inputs) {
    NodeArg arg;
    F8_TRY(arg.name, string_member(entry, "name"));
    F8_TRY(arg.argument, member(entry, "arg"));
    node.args.push_back(std::move(arg));
  }
  return ok;
}

Result<> read_parts(const Json& json, GraphNode& node) {
  F8_TRY(node.target, string_member(json, "target"));
  F8_TRY(const Json* inputs, array_member(json, "inputs"));
  F8_TRY(const Json* outputs, array_member(json, "outputs"));
  F8_CHECK(read_args(*inputs, node));
  return read_results(*outputs, node);
}

}  // namespace

Result<GraphNode> read_node(const Json& json, size_t index) {
  GraphNode node;
  const Json* name = find(json, "name");  // newer than torch 2.9
  const bool named = name != nullptr && name->is_string();
  node.place = place_of(find(json, "metadata"), named ? name->get<std::string>() : fmt::format("#{}", index));
  if (auto parts = read_parts(json, node); !parts) {
    Diags errors = parts.take_errors();
    for (Diag& diag : errors) diag.at(node.place);
    return errors;
  }
  if (named) {
    node.name = name->get<std::string>();
  } else {
    node.name = node.results.empty() ? fmt::format("node_{}", index) : node.results.front();
    node.place.node = node.name;
  }
  return node;
}

}  // namespace fold8::pt2
