// Cycles of a core, modelled: an in-order pipeline that a table in src/board/timing describes. docs/cycles.md says what
// the model has, and where the tables' numbers are from.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "board/disassembly.h"

namespace fold8::board {

// "2", or by the length n of a register list: "n", "n+1", "n/2+1".
struct Cycles {
  int64_t plus = 0;
  int64_t halves = 0;
  int64_t of(int listed) const { return plus + (listed * halves + 1) / 2; }
};

struct UnitUse {
  size_t unit = 0;
  Cycles cycles;
  bool awaited = true;  // else the unit is only kept busy, and need not be free at the start
};

// How instructions of one kind run.
struct TimingRow {
  std::vector<std::string> patterns;  // of mnemonics, with the forms required: "str*+offset"
  Cycles latency;                     // until the results can be read
  std::vector<UnitUse> uses;
  Cycles alone;         // cycles in which no other instruction starts
  bool first = false;   // starts a cycle
  bool free = false;    // starts with the one before it
  int64_t refill = -1;  // when taken; -1: the core's
};

struct CoreTiming {
  std::vector<std::string> cores;  // of targets.list: the one described, then those it is the nearest for
  std::string machine;             // for objdump -m
  int64_t width = 1;               // instructions that start in a cycle
  int64_t refill = 0;              // cycles lost to a taken branch, beyond its own
  int64_t address = 0;             // cycles that a register must be ready earlier when it makes an address
  int64_t accumulate = 0;          // cycles that an accumulator may be ready later
  std::vector<int64_t> units;      // how many of each
  std::vector<TimingRow> rows;     // the first that matches holds

  const TimingRow& row_for(const Instruction&) const;
};

// The table for a core of targets.list.
const CoreTiming& timing_of(const std::string& cpu);

// An instruction and its row.
struct Step {
  Instruction instruction;
  const TimingRow* row = nullptr;
};

// Runs straight-line code through the model, from an idle pipeline.
class Pipeline {
 public:
  explicit Pipeline(const CoreTiming& core);
  void run(std::span<const Step> code);
  // The last instruction was a branch, and was taken.
  void take_branch();
  // When the next instruction could start, waited it for nothing.
  int64_t cycles() const { return std::max(blocked_until_, started_ == 0 ? cycle_ : cycle_ + 1); }

 private:
  void start(const Step&);
  int64_t earliest(const Step&) const;

  const CoreTiming& core_;
  std::vector<std::vector<int64_t>> busy_;   // of each unit: until when
  std::array<int64_t, kRegisters> ready_{};  // of each register: since when
  int64_t cycle_ = 0;                        // the last in which an instruction started
  int64_t started_ = 0;                      // instructions that started in it
  int64_t blocked_until_ = 0;                // nothing starts before
  int64_t refill_ = 0;                       // after the last instruction, if it is taken
};

}  // namespace fold8::board
