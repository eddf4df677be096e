#include "pt2/text.h"

#include <algorithm>

namespace fold8::pt2 {
namespace {

constexpr size_t kLongestText = 200;

bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

bool is_utf8_tail(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string printable(std::string_view text) {
  size_t end = std::min(text.size(), kLongestText);
  while (end < text.size() && end > 0 && is_utf8_tail(text[end])) --end;
  std::string out(text.substr(0, end));
  std::ranges::replace_if(out, is_control, '?');
  return end < text.size() ? out + "..." : out;
}

std::string identifier(std::string_view text) {
  std::string out(text.substr(0, kLongestText));
  std::ranges::replace_if(
      out, [](char c) { return !is_name_char(c); }, '_');
  return out.empty() ? "_" : out;
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) out.append(out.empty() ? "" : separator).append(part);
  return out;
}

}  // namespace fold8::pt2
