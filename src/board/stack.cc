#include "board/stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

namespace fold8::board {
namespace {

// What follows `key: "` up to the next quote.
std::string quoted(std::string_view line, std::string_view key) {
  const std::string start = fmt::format("{}: \"", key);
  const size_t at = line.find(start);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = line.substr(at + start.size());
  return std::string(rest.substr(0, rest.find('"')));
}

class Graph {
 public:
  explicit Graph(const PushedBytes& pushed) : pushed_(pushed) {}

  // Lines of VCG: node: { title: "f" label: "signature\nplace\n104 bytes (static)" }, edge: { sourcename: targetname:
  // }.
  void read(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("node:")) read_node(line);
      if (line.starts_with("edge:")) calls_[quoted(line, "sourcename")].insert(quoted(line, "targetname"));
    }
  }

  Result<int64_t> deepest(const std::string& function) {
    if (const auto known = depth_.find(function); known != depth_.end()) return known->second;
    if (!open_.insert(function).second) return unbounded(function, "calls itself");
    const auto frame = frame_.find(function);
    if (frame == frame_.end()) {
      if (function == "__indirect_call") return unbounded(function, "is a call through a pointer");
      open_.erase(function);
      return kLibraryStackBytes;
    }
    if (frame->second < 0) return unbounded(function, "has a frame whose size depends on its arguments");
    int64_t below = 0;
    for (const std::string& callee : calls_[function]) {
      F8_TRY(const int64_t depth, deepest(callee));
      below = std::max(below, depth);
    }
    open_.erase(function);
    return depth_[function] = frame->second + below;
  }

 private:
  static Diag unbounded(const std::string& function, const char* why) {
    return error("F8-0610", fmt::format("the stack has no bound: {} {}", function, why));
  }

  void read_node(const std::string& line) {
    const std::string label = quoted(line, "label");
    const size_t at = label.rfind("\\n");
    if (at == std::string::npos || label.find(" bytes (", at) == std::string::npos) return;  // a library's function
    int64_t bytes = -1;
    if (label.ends_with("(static)")) std::from_chars(label.data() + at + 2, label.data() + label.size(), bytes);
    const std::string title = quoted(line, "title");
    const auto pushed = pushed_.find(std::string_view(title).substr(title.rfind(':') + 1));  // "file:name" where static
    frame_[title] = bytes >= 0 && pushed != pushed_.end() ? std::max(bytes, pushed->second) : bytes;
  }

  const PushedBytes& pushed_;
  std::map<std::string, int64_t> frame_;  // bytes; -1 = not static
  std::map<std::string, std::set<std::string>> calls_;
  std::map<std::string, int64_t> depth_;
  std::set<std::string> open_;  // on the path from the entry
};

// "sp!, {r4-r11, lr}", "sp, #28", "r0, [sp, #-8]!"
int64_t pushed_by(const Instruction& i) {
  const bool pushes_list = i.mnemonic.starts_with("push") || i.mnemonic.starts_with("vpush") ||
                           (i.mnemonic.starts_with("stmdb") && i.operands.starts_with("sp!"));
  if (pushes_list) return i.listed * (i.operands.find("{d") != std::string::npos ? 8 : 4);
  const size_t number = i.operands.find('#');
  if (number == std::string::npos) return 0;
  const int64_t constant = std::atoll(i.operands.c_str() + number + 1);
  if (i.mnemonic.starts_with("su") && i.operands.starts_with("sp")) return constant;  // a subtraction
  if (i.mnemonic.starts_with("str") && i.operands.find("[sp, #-") != std::string::npos) return -constant;
  return 0;
}

}  // namespace

PushedBytes pushed_bytes(const std::vector<Instruction>& image) {
  PushedBytes pushed;
  for (const Instruction& instruction : image) pushed[instruction.function] += pushed_by(instruction);
  return pushed;
}

Result<std::vector<int64_t>> deepest_paths(const std::vector<std::string>& graphs,
                                           const std::vector<std::string>& entries, const PushedBytes& pushed) {
  Graph graph(pushed);
  for (const std::string& text : graphs) graph.read(text);
  std::vector<int64_t> bounds;
  for (const std::string& entry : entries) {
    F8_TRY(const int64_t bound, graph.deepest(entry));
    bounds.push_back(bound);
  }
  return bounds;
}

}  // namespace fold8::board
