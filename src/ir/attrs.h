// Attributes of nodes: a short list of named numbers, lists and strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fold8::ir {

using Attr = std::variant<int64_t, double, std::vector<int64_t>, std::string>;

// Few, so a sorted list: printing order is by name.
class Attrs {
 public:
  void set(std::string_view key, Attr value);
  void erase(std::string_view key);
  const Attr* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The attribute, which must be there and of that kind (the verifier's infer() has seen to it).
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  const std::vector<std::pair<std::string, Attr>>& all() const { return list_; }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<std::pair<std::string, Attr>> list_;
};

}  // namespace fold8::ir
