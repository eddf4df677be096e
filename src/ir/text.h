// The text form of a program: printed for people and diffs, parsed for tests. docs/ir.md has the grammar.
// Printing what was parsed gives the same text again, at every form.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ir/op.h"
#include "ir/program.h"

namespace fold8::ir {

// Constants of at most 16 elements are printed in full, larger ones as `= hash 1a2b3c4d5e6f7788`.
std::string print(const Program& program);

// `pool`: where constants printed by hash are looked up (the values of another program). Constants may also be written
// as {1 2 3} or seed(s, lo, hi). Errors carry the line.
Result<Program> parse(std::string_view text, OpTable ops, std::span<const Value> pool = {});

// Element i of seed(s, lo, hi): lo + mix(s, i) mod (hi - lo + 1), mix = splitmix64. tests/vectors computes the same.
int64_t seeded(uint64_t seed, uint64_t index, int64_t lo, int64_t hi);

}  // namespace fold8::ir
