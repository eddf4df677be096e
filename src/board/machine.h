// QEMU's boards, one row of device/board/machines.list each; the columns are explained there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "target/target.h"

namespace fold8::board {

struct Machine {
  std::string name;
  std::string core;
  uint32_t part = 0;
  int64_t tick_ps = 0;
  std::string vectors, rom, rom_bytes, ram, ram_bytes;  // as the linker reads them
};

// The board that runs the target's code. A target whose board or core is in no row is a CompilerBug.
const Machine& machine_for(const target::Target& target);

// The whole linker script for a board.
std::string linker_script(const Machine& machine);

// A file of device/board.
std::string_view board_source(std::string_view name);

}  // namespace fold8::board
