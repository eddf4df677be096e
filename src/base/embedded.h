// Files compiled into the tool by cmake/embed.cmake: the tool needs nothing beside it to write firmware.
#pragma once

#include <span>
#include <string_view>

namespace fold8 {

struct EmbeddedFile {
  std::string_view name;  // relative, with '/'
  std::string_view contents;
};

}  // namespace fold8
