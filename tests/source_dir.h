// Where the project's own files lie while its tests run. Told to one file alone, so that no other depends on the folder.
#pragma once

#include <filesystem>

namespace fold8 {

std::filesystem::path source_dir();

}  // namespace fold8
