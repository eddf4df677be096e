// Buffers of the caller's own beside the arena: one for each end of a program that says so (ir::Buffer), inputs first.
// An offset tells in its upper bits which: the arena's begin at 0, those of buffer k = 1, 2, ... at k << kBufferShift.
// Programs without such buffers have the whole range for their arena.
#pragma once

#include <algorithm>
#include <vector>

#include "ir/program.h"

namespace fold8::plan {

inline constexpr int kBufferShift = 26;                                 // device/core/address.h has the same
inline constexpr int64_t kMaxBufferBytes = int64_t{1} << kBufferShift;  // of each, and of an arena beside buffers
inline constexpr size_t kMaxBuffers = (1 << (31 - kBufferShift)) - 1;   // offsets are int32 on the device

// The end that lies in buffer k is at [k - 1].
inline std::vector<ir::ValueId> buffered_ends(const ir::Program& program) {
  std::vector<ir::ValueId> ends;
  for (const auto* ids : {&program.inputs, &program.outputs})
    for (ir::ValueId id : *ids)
      if (program[id].buffer != ir::Buffer::arena) ends.push_back(id);
  return ends;
}

inline bool is_end(const ir::Program& program, ir::ValueId id) {
  return program.is_output(id) || program.is_input(id);
}

// Whether the program may keep data of its own in that end's buffer.
inline bool may_write(const ir::Program& program, ir::ValueId end) {
  return program[end].buffer == ir::Buffer::consumed || program.is_output(end);
}

inline int64_t buffer_begin(size_t buffer) { return static_cast<int64_t>(buffer) << kBufferShift; }

// 0 for the arena.
inline size_t buffer_of(const std::vector<ir::ValueId>& ends, int64_t offset) {
  return ends.empty() ? 0 : static_cast<size_t>(offset >> kBufferShift);
}

}  // namespace fold8::plan
