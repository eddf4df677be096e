// The order of the nodes: a topological order whose largest live set is small.
#pragma once

#include <vector>

#include "ir/program.h"

namespace fold8::plan {

// A permutation of the program's nodes: result[i] runs i-th. Exact where the graph's downsets are few, a beam search
// over them otherwise; the given order where nothing better is found. `scratch_bytes`: one for each node.
std::vector<size_t> best_order(const ir::Program& program, const std::vector<int64_t>& scratch_bytes);

}  // namespace fold8::plan
