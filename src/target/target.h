// A core to write firmware for. Rows come from device/targets.list, which explains the columns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fold8::target {

struct Target {
  std::string cpu;
  std::string isa;
  int align = 4;
  std::string machine;             // QEMU's -machine
  std::string core;                // the core on that board
  std::vector<std::string> flags;  // for arm-none-eabi-g++
};

// Every row, in file order.
std::span<const Target> all_targets();

// The row named `cpu`; the error lists the names there are.
Result<Target> find_target(std::string_view cpu);

}  // namespace fold8::target
