// The nodes of an exported graph as the archive lists them, before any meaning is given to them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "pt2/json.h"

namespace fold8::pt2 {

struct NodeArg {
  std::string name;      // of the schema's parameter
  const Json* argument;  // a union
};

struct GraphNode {
  std::string target;
  std::string name;
  Place place;
  std::vector<NodeArg> args;
  std::vector<std::string> results;  // tensors, lists of tensors flattened
  std::string odd_result;            // kind of a result that is neither a tensor nor a symbolic number
  bool is_symbolic = false;          // computes sizes, no tensor; their values stand in sym_int_values
};

Result<GraphNode> read_node(const Json& json, size_t index);

}  // namespace fold8::pt2
