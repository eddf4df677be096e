// A core to write firmware for. Rows come from device/targets.list, which explains the columns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fold8::target {

// What kernels are chosen for, and what the emitted source is compiled for (-O2, -Os).
enum class Prefer { speed, size };

struct Target {
  std::string cpu;
  std::string isa;
  int vector_bytes = 4;
  int align = 4;
  std::string machine;             // QEMU's -machine
  std::string core;                // the core on that board
  std::vector<std::string> flags;  // for arm-none-eabi-g++
  // The user's choices; not in the list.
  Prefer prefer = Prefer::speed;
  bool extra_weight_flash = false;  // weights of convolutions may take twice their flash where that saves instructions
  int64_t ram_bytes = 0;            // what the arena may take; 0: as little as it can
  int64_t patch_rows = 0;           // the first stage in so many tiles; 0: whole, or as ram_bytes demands
  int64_t patch_columns = 0;
};

// Every row, in file order.
std::span<const Target> all_targets();

// The row named `cpu`; the error lists the names there are.
Result<Target> find_target(std::string_view cpu);

}  // namespace fold8::target
