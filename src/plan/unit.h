// Units: what runs as one. A node, or consecutive nodes that make their rows in turns, so that the values between them
// need only a ring of rows each. And how close, from the order of reads and writes, a unit's result may follow its
// operands in memory.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/op.h"
#include "ir/program.h"
#include "target/target.h"

namespace fold8::plan {

// address(operand) - address(result) may be `distance` or more; also 0 where `in_place`.
struct Trail {
  ir::ValueId operand = ir::ValueId::none;
  ir::ValueId result = ir::ValueId::none;
  int64_t distance = 0;
  bool in_place = false;
};

struct Unit {
  size_t first = 0;  // nodes [first, end)
  size_t end = 0;
  int64_t scratch_bytes = 0;                 // the most that one of its nodes asks for
  std::vector<uint8_t> turns;                // of a stream: which node, counted from `first`, makes its next row
  std::map<ir::ValueId, int64_t> ring_rows;  // of the values between them: rows held
  std::vector<Trail> trails;

  bool is_stream() const { return end - first > 1 || !turns.empty(); }
};

// Whether a node can make one row of an image at a time.
bool works_by_rows(const ir::Program& program, const target::Target& target, const ir::Node& node);

// Each node alone.
std::vector<Unit> single_units(const ir::Program& program, const target::Target& target);

// Nodes [first, end) as one unit. Nullopt where they cannot run so: a kernel does not work by rows, a value between
// them is read elsewhere, or more than one is left behind.
std::optional<Unit> stream(const ir::Program& program, const target::Target& target, size_t first, size_t end);

// Bytes of a ring of `rows` rows of a value.
int64_t ring_bytes(const ir::Program& program, ir::ValueId id, int64_t rows);

}  // namespace fold8::plan
