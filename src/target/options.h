// What the user asks of a compilation, beside the core to write for.
#pragma once

#include <cstdint>

namespace fold8::target {

// What kernels are chosen for, and what the emitted source is compiled for (-O2, -Os).
enum class Prefer { speed, size };

struct CompileOptions {
  Prefer prefer = Prefer::speed;
  bool extra_weight_flash = false;  // weights of convolutions may take twice their flash where that saves instructions
  int64_t ram_bytes = 0;            // what the arena may take; 0: as little as it can
  int64_t patch_rows = 0;           // the first stage in so many tiles; 0: whole, or as ram_bytes demands
  int64_t patch_columns = 0;
};

}  // namespace fold8::target
