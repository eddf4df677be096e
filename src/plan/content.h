// What the bytes of a value hold, as far as the ops' overlays tell: bytes of the same origin are the same data,
// whatever value they are reached through and wherever they lie.
#pragma once

#include <vector>

#include "ir/op.h"
#include "ir/program.h"

namespace fold8::plan {

// Bytes [begin, begin + bytes) of a value are bytes [origin_begin, ...) of `origin`, the value that first held them.
struct Segment {
  int64_t begin = 0;
  int64_t bytes = 0;
  ir::ValueId origin = ir::ValueId::none;
  int64_t origin_begin = 0;

  int64_t end() const { return begin + bytes; }
};

using Content = std::vector<Segment>;  // in order, without gaps, the whole value

// One for each value of the program. An overlay that could not be granted wherever the values lie is left out: off
// alignment, of a constant, or a second copy of the same bytes in one result.
IndexedVector<ir::ValueId, Content> contents(const ir::Program& program);

// Whether `a` and `b` hold the same data in every byte they share when b starts `delta` bytes after a.
bool agree(const Content& a, const Content& b, int64_t delta);

// The overlays of `node` between two activations at a delta that keeps alignment.
std::vector<ir::Overlay> usable_overlays(const ir::Program& program, const ir::Node& node);

// Whether all of a result may be all of an operand.
bool is_view(const ir::Program& program, const ir::Node& node);

inline int64_t value_bytes(const ir::Program& program, ir::ValueId id) {
  return static_cast<int64_t>(program.type(id).bytes());
}

}  // namespace fold8::plan
