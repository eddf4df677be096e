// The models of one image; the tool writes the definitions.
#pragma once

#include <stdint.h>

namespace f8board {

struct Slice {
  uint32_t offset, bytes;  // in the arena
};

struct Model {
  void (*invoke)(void* arena);
  const char* (*isa)();
  uint32_t arena_bytes, arena_align;
  const Slice* inputs;
  uint32_t input_count;
  const Slice* outputs;
  uint32_t output_count;
  const char *in_path, *out_path, *trace_path, *result_path;  // names: protocol.h
};

// An arena stands kGuardBytes into arena_memory, and off any alignment above its own: relying on more then faults.
constexpr uint32_t kGuardBytes = 64;
constexpr uint32_t kMaxAlign = 64;
constexpr uint32_t kArenaSlack = 2 * kMaxAlign + kMaxAlign + kGuardBytes;

extern const Model kModels[];
extern const uint32_t kModelCount;
extern uint8_t arena_memory[];  // aligned to 2 * kMaxAlign; the largest arena + kArenaSlack

}  // namespace f8board
