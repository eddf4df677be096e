// The most stack that a call can take, from the compiler's own account of each function and its calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fold8::board {

// Allowed for each function of the compiler's libraries (memcpy, soft float), of which the compiler says nothing. Those
// that generated code calls take less; the painted stack of every run checks the sum.
inline constexpr int64_t kLibraryStackBytes = 96;

// Taken by each naked function, whose name ends in _asm: what it pushes is not in the compiler's account.
inline constexpr int64_t kAssemblyStackBytes = 128;

// `graphs`: what GCC's -fcallgraph-info=su wrote, one text for each translation unit. The deepest path from each of
// `entries`, frames and return addresses included. Recursion, a frame of unknown size and a call through a pointer are
// errors: none has a bound.
Result<std::vector<int64_t>> deepest_paths(const std::vector<std::string>& graphs,
                                           const std::vector<std::string>& entries);

}  // namespace fold8::board
