// What was seen of one part of a program beside what its op says of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace fold8::f8 {

// Of a byte of the arena: when it was first written and last read, counted from 1; 0: never. As watch_host.h writes it.
struct Recorded {
  uint32_t offset = 0;
  uint32_t first_write = 0;
  uint32_t last_read = 0;
};

// A run of a unit's node, or of one row of it; or what comes before its first row.
struct Part {
  size_t unit = 0;
  std::optional<int64_t> row;
  bool empty = false;
};

// What the op does not say, or says otherwise; nullopt: nothing. Values of the program lie apart. `late`: steps by
// which what the op says of its writes is put off, a fault planted by tests.
std::optional<std::string> wrong_part(const ir::Program& program, const plan::Plan& plan, const target::Target& target,
                                      const Part& part, const std::vector<Recorded>& accesses, int64_t late = 0);

}  // namespace fold8::f8
