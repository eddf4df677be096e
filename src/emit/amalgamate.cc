#include "emit/amalgamate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "base/diag.h"
#include "base/embedded.h"

namespace fold8 {
std::span<const EmbeddedFile> embedded_device_sources();
std::span<const EmbeddedFile> embedded_kernel_sources();
}  // namespace fold8

namespace fold8::emit {
namespace {

std::string_view source(const std::string& name) {
  for (const auto& files : {embedded_device_sources(), embedded_kernel_sources()})
    for (const EmbeddedFile& file : files)
      if (file.name == name) return file.contents;
  throw CompilerBug("a device header that is included is embedded: " + name);
}

// "core/rescale.h" -> "F8K_CORE_RESCALE_H"
std::string guard(const std::string& name) {
  std::string out = "F8K_";
  for (char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  return out;
}

class Amalgamation {
 public:
  void add(const std::string& name) {
    if (std::ranges::count(seen_, name) != 0) return;
    seen_.push_back(name);
    constexpr std::string_view kInclude = "#include \"";
    std::string body;
    std::istringstream lines{std::string(source(name))};
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(kInclude)) {
        add(line.substr(kInclude.size(), line.rfind('"') - kInclude.size()));
      } else if (line != "#pragma once") {
        body += line + "\n";
      }
    }
    text_ += fmt::format("// ---- {0}\n#ifndef {1}\n#define {1}\n\n{2}\n#endif  // {1}\n\n", name, guard(name), body);
  }

  std::string text() && { return std::move(text_); }

 private:
  std::vector<std::string> seen_;
  std::string text_;
};

}  // namespace

std::string amalgamate(const std::vector<std::string>& roots) {
  Amalgamation all;
  for (const std::string& root : roots) all.add(root);
  return std::move(all).text();
}

}  // namespace fold8::emit
