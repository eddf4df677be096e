#include "ir/attrs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/diag.h"

namespace fold8::ir {

void Attrs::set(std::string_view key, Attr value) {
  auto at =
      std::lower_bound(list_.begin(), list_.end(), key, [](const auto& a, std::string_view k) { return a.first < k; });
  if (at != list_.end() && at->first == key) {
    at->second = std::move(value);
  } else {
    list_.insert(at, {std::string(key), std::move(value)});
  }
}

void Attrs::erase(std::string_view key) {
  std::erase_if(list_, [&](const auto& a) { return a.first == key; });
}

const Attr* Attrs::find(std::string_view key) const {
  for (const auto& [name, value] : list_)
    if (name == key) return &value;
  return nullptr;
}

namespace {

template <class T>
const T& attr_as(const Attrs& attrs, std::string_view key) {
  const Attr* attr = attrs.find(key);
  const T* value = attr == nullptr ? nullptr : std::get_if<T>(attr);
  if (value == nullptr) throw CompilerBug(fmt::format("attribute '{}' is missing or of another kind", key));
  return *value;
}

}  // namespace

int64_t Attrs::integer(std::string_view key) const { return attr_as<int64_t>(*this, key); }
double Attrs::number(std::string_view key) const { return attr_as<double>(*this, key); }
const std::vector<int64_t>& Attrs::integers(std::string_view key) const {
  return attr_as<std::vector<int64_t>>(*this, key);
}
const std::string& Attrs::text(std::string_view key) const { return attr_as<std::string>(*this, key); }

}  // namespace fold8::ir
