// The most stack that a call can take, from the compiler's own account of each function and its calls.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "board/disassembly.h"

namespace fold8::board {

// Allowed for each function of the compiler's libraries (memcpy, soft float), of which the compiler says nothing. Those
// that generated code calls take less; the painted stack of every run checks the sum.
inline constexpr int64_t kLibraryStackBytes = 96;

// What each function takes by its own instructions, by its linker's name: all that it pushes, on whatever path.
using PushedBytes = std::map<std::string, int64_t, std::less<>>;
PushedBytes pushed_bytes(const std::vector<Instruction>& image);

// `graphs`: what GCC's -fcallgraph-info=su wrote, one text for each translation unit. The deepest path from each of
// `entries`, frames and return addresses included. A function that pushes more than the compiler says has that: a naked
// one, which for the compiler has no frame, or one that spills arguments passed in registers. Recursion, a frame of
// unknown size and a call through a pointer are errors: none has a bound.
Result<std::vector<int64_t>> deepest_paths(const std::vector<std::string>& graphs,
                                           const std::vector<std::string>& entries, const PushedBytes& pushed = {});

}  // namespace fold8::board
