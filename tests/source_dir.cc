#include "source_dir.h"

namespace fold8 {

std::filesystem::path source_dir() { return FOLD8_SOURCE_DIR; }

}  // namespace fold8
