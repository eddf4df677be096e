// Places every activation of a program, and every kernel's scratch, at a fixed offset of one arena; ends that the
// caller keeps in buffers of his own lie there (buffers.h). Doors: place(), verify_placement(), memory_map().
//
// The road: schedule.h picks an order of the nodes with a low peak; sharing.h decides which values lie in the same
// bytes and when each byte is live; packing.h gives the remaining blocks their addresses. What two blocks owe each
// other is a forbidden interval of address differences, so an op whose result may trail its operand at a safe distance
// narrows one interval and nothing else changes. Guarantees: deterministic; bounded work (milliseconds for hundreds of
// nodes); every plan has passed verify_placement().
#pragma once

#include <string>
#include <vector>

#include "ir/op.h"
#include "ir/program.h"
#include "plan/unit.h"
#include "target/target.h"

namespace fold8::plan {

// Every value starts at a multiple of this: some cores trap on a word load from any other address.
inline constexpr int64_t kValueAlign = 4;

// No core has more address space than this for its data.
inline constexpr int64_t kMaxArenaBytes = INT32_MAX;

struct Plan {
  int64_t arena_bytes = 0;
  int64_t lower_bound_bytes = 0;         // the largest live set of a step: shared bytes once, scratch in, padding out
  int64_t apart_bytes = 0;               // arena_bytes if no ops ran by rows in turns
  int64_t align = kValueAlign;           // of the arena's base
  std::vector<Unit> units;               // what runs, in order
  std::vector<int64_t> scratch_offsets;  // one for each unit, -1 = none
  size_t peak_unit = 0;                  // the one during which the lower bound is reached
};

// packed -> placed: reorders the nodes, sets Value::offset of every activation. Inputs are live from before the first
// node to their last reader, outputs to after the last node. The given order stays unless another one needs less.
// Ops run by rows in turns where the arena would take more than `ram_bytes`. Fails if the program cannot fit in any
// core's memory.
Result<Plan> place(ir::Program& program, const target::Target& target, int64_t ram_bytes = 0);

// Runs the placed program on an arena whose bytes remember whose data they hold: every operand must still hold its own
// when it is read and every output at the end, no result or scratch may touch what its node still reads, everything
// lies inside the arena and aligned. Written apart from place(), so that agreement means something.
Result<> verify_placement(const ir::Program& program, const Plan& plan, const target::Target& target);

// The plan as text of at most 100 columns: for each node its live bytes and where they lie, the peak marked.
std::string memory_map(const ir::Program& program, const Plan& plan);

}  // namespace fold8::plan
