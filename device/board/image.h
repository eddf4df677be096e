// The models of one image; the tool writes the definitions.
#pragma once

#include <stdint.h>

namespace f8board {

struct Slice {
  uint32_t offset, bytes;  // from the arena's start
  uint32_t kept;           // 1: an input that invoke leaves as it is
};

struct Model {
  void (*invoke)(void* arena);
  const char* (*isa)();
  uint32_t arena_align;
  const Slice* memories;  // the arena, then the caller's own buffers, kGuardBytes apart or more
  uint32_t memory_count;
  const Slice* inputs;
  uint32_t input_count;
  const Slice* outputs;
  uint32_t output_count;
  const char *in_path, *out_path, *trace_path, *result_path;  // names: protocol.h
};

// An arena stands kGuardBytes into arena_memory, and off any alignment above its own: relying on more then faults. So
// do buffers behind it.
constexpr uint32_t kGuardBytes = 64;
constexpr uint32_t kMaxAlign = 64;
constexpr uint32_t kArenaSlack = 2 * kMaxAlign + kMaxAlign + kGuardBytes;

extern const Model kModels[];
extern const uint32_t kModelCount;
extern uint8_t arena_memory[];  // aligned to 2 * kMaxAlign; the largest arena with its buffers + kArenaSlack

}  // namespace f8board
