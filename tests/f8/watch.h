// Whether kernels read and write what their ops say (OpDef::touches), in the order said: what planner and
// verify_placement both take on trust. Emitted code runs on this machine with every load and store recorded, each value
// apart from all others, each op as a whole and, where it can, row by row.
#pragma once

#include <vector>

#include "batch.h"

namespace fold8::f8 {

struct Watched {
  size_t parts = 0;  // runs of a node, or of one row of it, compared with what its op says
  std::vector<Failure> failures;
};

// Of a target whose emitted code is portable C++. Of programs that run alike, a few stand for all. Then changes what
// ops say, so that writes come later, and demands that some program of each op notices.
Watched watch(const std::vector<Prepared>& cases, const target::Target& target, const target::CompileOptions& options);

}  // namespace fold8::f8
