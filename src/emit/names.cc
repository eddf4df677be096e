#include "emit/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

namespace fold8::emit {
namespace {

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Headers that <name>.h would hide from firmware that has the model's folder on its include path: of C, of Arm's
// compilers, of newlib and POSIX. Sorted.
constexpr std::string_view kHeaders[] = {
    "aio",         "alloca",    "ar",       "argz",     "arm_acle",  "arm_bf16", "arm_cde",  "arm_cmse", "arm_fp16",
    "arm_mve",     "arm_neon",  "assert",   "byteswap", "complex",   "cpio",     "ctype",    "devctl",   "dirent",
    "dlfcn",       "elf",       "endian",   "envlock",  "envz",      "errno",    "fastmath", "fcntl",    "features",
    "fenv",        "float",     "fnmatch",  "ftw",      "getopt",    "glob",     "grp",      "iconv",    "ieeefp",
    "inttypes",    "iso646",    "langinfo", "libgen",   "limits",    "locale",   "malloc",   "math",     "memory",
    "mqueue",      "ndbm",      "newlib",   "nl_types", "paths",     "poll",     "pthread",  "pwd",      "reent",
    "regdef",      "regex",     "sched",    "search",   "semaphore", "setjmp",   "signal",   "spawn",    "stdalign",
    "stdarg",      "stdatomic", "stdbit",   "stdbool",  "stdckdint", "stddef",   "stdint",   "stdio",    "stdlib",
    "stdnoreturn", "string",    "strings",  "tar",      "termios",   "tgmath",   "threads",  "time",     "uchar",
    "unctrl",      "unistd",    "unwind",   "utime",    "utmp",      "varargs",  "wchar",    "wctype",   "wordexp"};
static_assert(std::ranges::is_sorted(kHeaders));

// Some file systems do not tell cases apart.
bool is_header(std::string_view name) {
  std::string lower;
  std::ranges::transform(name, std::back_inserter(lower),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::binary_search(kHeaders, std::string_view(lower));
}

}  // namespace

std::string identifier(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_letter_or_digit(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  if (!out.empty() && out.back() == '_') out.pop_back();
  return out.empty() ? "value" : out;
}

std::string upper(std::string_view text) {
  std::string out;
  std::ranges::transform(text, std::back_inserter(out),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

// A backslash at a line's end would splice the next one into the comment.
std::string comment_text(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c == '\\' || std::iscntrl(static_cast<unsigned char>(c)) != 0) c = c == '\\' ? '/' : ' ';
  for (const std::string_view mark : {"*/", "/*", "\?\?"})
    for (size_t at; (at = out.find(mark)) != std::string::npos;) out.insert(at + 1, " ");
  return out;
}

std::string Names::unique(std::string_view prefix, std::string_view text) {
  const std::string first = fmt::format("{}_{}", prefix, identifier(text));
  std::string name = first;
  for (int count = 2; !taken_.insert(upper(name)).second; ++count) name = fmt::format("{}_{}", first, count);
  return name;
}

std::string name_objection(std::string_view name) {
  if (name.empty() || is_digit(name[0]) || name[0] == '_' ||
      !std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '_'; }))
    return "expected a C identifier that starts with a letter";
  if (name.back() == '_' || name.find("__") != std::string_view::npos)
    return "two underscores in a row, which its symbols would have, are reserved in C++";
  if (is_header(name)) return fmt::format("{}.h would hide a system header from your firmware", name);
  return "";
}

std::string model_name(std::string_view text) {
  const std::string name = identifier(text);
  return name_objection(name).empty() ? name : "model_" + name;
}

}  // namespace fold8::emit
