// The graph's signature: what each of its inputs and outputs is to the model.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "pt2/json.h"
#include "pt2/tensors.h"

namespace fold8::pt2 {

struct StoredInput {  // parameter, buffer or lifted constant
  std::string name;   // in the graph
  Store store = Store::weights;
  std::string stored_name;  // fully qualified: "fc.weight"
};

struct Signature {
  std::vector<std::string> user_inputs;  // names in the graph, in the order of the call
  std::vector<StoredInput> stored_inputs;
  std::vector<std::string> outputs;
};

// What firmware cannot have goes into `blockers`: inputs and outputs other than tensors, and state that is changed.
Result<Signature> read_signature(const Json& signature, Diags& blockers);

// The error for a program that changes its own state; `what` is the place that is written to.
Diag hidden_state(const std::string& what);

}  // namespace fold8::pt2
