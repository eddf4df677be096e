// The instructions of a linked image, read from objdump: what a timing model asks of each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace fold8::board {

// r0 to r15, then q0 to q7 with the s and d registers that lie in them.
inline constexpr int kFirstVector = 16;
inline constexpr int kRegisters = kFirstVector + 8;

struct Instruction {
  std::string function;  // the linker's name of what it is part of
  uint32_t address = 0;
  int bytes = 0;         // 2 or 4
  std::string mnemonic;  // with condition and data type, without ".w" and ".n": "addeq", "vldrb.u8"
  std::string operands;
  std::vector<int> reads;         // registers but those below
  std::vector<int> addresses;     // registers that make the address of a load or store
  std::vector<int> accumulators;  // registers that the product is added to
  std::vector<int> writes;        // results; a base register that is written back is none: it is there at once
  int listed = 0;                 // registers in braces
};

// One line of `objdump -d`, as in "  21000468:\tfb01 2000 \tmla\tr0, r1, r0, r2"; nullopt for lines of other kinds.
std::optional<Instruction> parse_instruction(const std::string& line);

// All of the image, by ascending address. `machine`: what objdump is told of the core with -m; empty: nothing.
Result<std::vector<Instruction>> disassemble(const std::filesystem::path& image, const std::string& machine);

}  // namespace fold8::board
