// Files of other kinds that users hand over, told by their first bytes.
#pragma once

#include <filesystem>

#include "base/diag.h"

namespace fold8::pt2 {

// Says what `path`, which is no zip, is instead, and what to do.
Diag not_a_zip(const std::filesystem::path& path);

}  // namespace fold8::pt2
