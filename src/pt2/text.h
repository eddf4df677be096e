// Text from an archive on its way to a terminal or into the program's names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fold8::pt2 {

// Without control characters, and not longer than a message bears.
std::string printable(std::string_view text);

// With '_' for everything but [A-Za-z0-9_.]; never empty.
std::string identifier(std::string_view text);

std::string_view trim(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace fold8::pt2
