// What the runner and the tool that starts it say to each other: files of these records, little-endian, and exit codes.
// For each model m of the image: the tool writes m.in (Request, then the samples), the runner writes m.out (outputs),
// m.result (Result) and, when the model traces, m.trace; at the end, whatever happened, one file "report" (Report).
#pragma once

#include <stdint.h>

namespace f8board {

enum Status : uint32_t {  // also the image's exit code
  kPassed = 0,
  kFault = 20,             // the core took a fault, or an interrupt nobody enabled
  kStackOverflow = 21,     // the stack's last word changed, or a fault with the stack pointer elsewhere
  kArenaOverwritten = 22,  // a guard byte next to the arena, or a buffer of the caller's, changed
  kInputOverwritten = 24,  // an input that is the caller's to keep changed
  kFileError = 23,         // a host file could not be opened, read or written
};

struct Request {
  uint32_t samples;
  uint32_t count_instructions;  // 1: run sample 0 once more, between two snapshots
};

// SysTick counts kPeriod - 1 ... 0 and interrupts as it reaches 0. Its tick is many instructions long (one instruction
// is 1 ns under QEMU's -icount shift=0), so a snapshot reads it kReads times, kReadInstructions apart: that is prime to
// the ticks of all boards, the reads meet every phase of a tick, and together they give the time to one instruction.
constexpr uint32_t kPeriod = 1u << 20;
constexpr uint32_t kReads = 128;
constexpr uint32_t kReadInstructions = 41;
constexpr uint32_t kInterruptInstructions = 5;  // what SysTick's handler itself runs
struct Snapshot {
  uint32_t values[kReads];
  uint32_t wraps;    // interrupts taken before the snapshot, which itself holds them off
  uint32_t pending;  // nonzero: one more wrap came before the last read
};

struct Result {
  uint32_t stack_bytes;
  char isa[16];
  Snapshot empty_before, empty_after, before, after;  // around an empty function, and around the model
};

struct Report {
  uint32_t status, cpuid;
  uint32_t model, sample;  // under way when the image ended
  uint32_t address;        // kArenaOverwritten: offset from the arena's start, as int32
  uint32_t exception, pc, lr, cfsr, hfsr;
};

}  // namespace f8board
