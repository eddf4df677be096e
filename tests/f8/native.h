// Builds emitted models with this machine's compiler, AddressSanitizer and UndefinedBehaviorSanitizer watching, and
// does what the runner on the boards does. Each arena is a block of its own of just its size.
#pragma once

#include <filesystem>
#include <vector>

#include "board/board.h"

namespace fold8::f8 {

Result<board::Run> run_native(const std::vector<TextFile>& files, const std::vector<board::Model>& models,
                              const std::vector<board::Samples>& samples, const std::filesystem::path& folder);

}  // namespace fold8::f8
