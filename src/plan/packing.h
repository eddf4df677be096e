// Addresses for blocks in one arena, given what keeps them apart. Knows nothing of programs.
#pragma once

#include <vector>

#include "base/diag.h"

namespace fold8::plan {

struct Block {
  int64_t bytes = 0;
  int64_t align = 1;
  int first = 0;  // steps of its life: they only guide the heuristics
  int last = 0;
};

// address(b) - address(a) is not strictly between lo and hi. Two blocks with nothing in common: (-bytes(b), bytes(a)).
// A block that may trail another at a safe distance has a narrower interval, blocks with holes have several.
struct Apart {
  size_t a = 0;
  size_t b = 0;
  int64_t lo = 0;
  int64_t hi = 0;
};

struct Packing {
  std::vector<int64_t> address;  // one for each block
  int64_t bytes = 0;             // the largest end
};

struct PackingProblem {
  std::vector<Block> blocks;
  std::vector<Apart> apart;
  int64_t goal_bytes = 0;  // a packing this small is good enough
  int peak_step = 0;       // where space is short
};

// Constraints looked at before pack() settles for the best it has; some 10 ms.
inline constexpr int64_t kPackingWork = 400'000;

// Deterministic, and bounded in work: heuristics first, then a search. The result always satisfies the constraints.
Packing pack(const PackingProblem& problem, int64_t work = kPackingWork);

}  // namespace fold8::plan
