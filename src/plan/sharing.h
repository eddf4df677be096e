// Which values share bytes, and when each byte is live.
//
// A block is a run of the arena that moves as a whole: a set of values at fixed distances from each other, or what one
// unit alone needs: its scratch, or a ring of rows. Each value keeps its own bytes and its own life, so a concatenation
// whose parts are written in place takes only the parts that exist yet.
#pragma once

#include <set>
#include <vector>

#include "ir/op.h"
#include "ir/program.h"
#include "plan/packing.h"
#include "plan/unit.h"

namespace fold8::plan {

// Unit i runs at step i. The caller writes inputs at step -1 and reads outputs at the step after the last unit, and
// inputs in buffers that are his to keep.
struct Life {
  int first = 0;
  int last = -2;  // before `first`: not an activation of this program

  bool exists() const { return first <= last; }
  bool meets(const Life& other) const { return first <= other.last && other.first <= last; }
};

// One for each value; values that only rings hold have none.
IndexedVector<ir::ValueId, Life> lifetimes(const ir::Program& program, const std::vector<Unit>& units);

// Bytes that are live for some steps: a value, the scratch of unit life.first, or a ring of its rows.
struct Item {
  ir::ValueId value = ir::ValueId::none;
  Life life;
  int64_t bytes = 0;
  size_t block = 0;
  int64_t at = 0;  // from the start of its block
};

struct Sharing {
  std::vector<Item> items;
  std::vector<Block> blocks;
  std::vector<size_t> buffer;  // that each block lies in; 0 for the arena. The end whose buffer it is fills it
};

// Grants overlays first (they save moving bytes), then in-place results, in program order, each if it fits those
// before. The overlays of nodes in `refused` are not granted.
Sharing share(const ir::Program& program, const std::vector<Unit>& units, int64_t scratch_align,
              const std::set<size_t>& refused = {});

struct Load {
  int64_t bytes = 0;  // the arena's largest live set, shared bytes once, results as close to operands as they may be
  int step = -1;      // where
  int64_t padded_bytes = 0;  // the largest with each piece rounded up to its alignment
};

Load load_of(const Sharing& sharing, const std::vector<Unit>& units);

// What keeps items of different blocks in one memory apart.
std::vector<Apart> constraints(const Sharing& sharing, const std::vector<Unit>& units);

}  // namespace fold8::plan
