#include "pt2/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

// Exported graphs nest about 12 deep, 30 with control flow inside control flow.
constexpr int kDeepestNesting = 100;

Diag wrong(std::string_view what, std::string_view wanted, const Json& found) {
  return error("F8-0106", fmt::format("{} is {} in JSON, expected {}", printable(what), found.type_name(), wanted));
}

struct Measure {
  int deepest = 0;
  int64_t bytes = 0;  // of the parsed values, about
};

// Looked at before parsing, so that no later code need fear for its stack or its memory. Bytes as Json has them on 64
// bits: 16 a value, in arrays that grow by doubling; a map node or string has a block of its own.
Measure measure(std::string_view text) {
  constexpr int64_t kOpen = 64, kComma = 32, kColon = 48, kString = 48;
  Measure found{0, static_cast<int64_t>(text.size())};
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
      found.bytes += kString;
    } else if (c == '[' || c == '{') {
      found.deepest = std::max(found.deepest, ++depth);
      found.bytes += kOpen;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      found.bytes += kComma;
    } else if (c == ':') {
      found.bytes += kColon;
    }
  }
  return found;
}

}  // namespace

Result<Json> read_json(const Archive& archive, std::string_view name, int64_t max_bytes) {
  F8_TRY(const std::string text, archive.read(name, max_bytes));
  const std::string entry = printable(name);
  const Measure found = measure(text);
  if (found.deepest > kDeepestNesting)
    return error("F8-0106", fmt::format("'{}' nests deeper than {} levels", entry, kDeepestNesting));
  const int64_t allowed = archive.allowance().left();
  if (!archive.allowance().take(found.bytes))
    return error("F8-0105", fmt::format("archive entry '{}' takes about {} MB of memory; of this file, at most {} MB "
                                        "are read",
                                        entry, found.bytes >> 20, allowed >> 20))
        .note("save the model again with torch.export.save");
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& problem) {
    return error("F8-0106", fmt::format("'{}' is not valid JSON at byte {}", entry, problem.byte));
  } catch (const Json::exception&) {  // a number beyond double
    return error("F8-0106", fmt::format("'{}' holds a number out of range", entry));
  }
}

Result<int64_t> to_int(const Json& value, std::string_view what) {
  if (!value.is_number_integer()) return wrong(what, "an integer", value);
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
    return error("F8-0106", fmt::format("{} does not fit 64 bits", printable(what)));
  return value.get<int64_t>();
}

Result<double> to_float(const Json& value, std::string_view what) {
  if (value.is_number()) return value.get<double>();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "NaN") return std::nan("");
  return wrong(what, "a number", value);
}

Result<bool> to_bool(const Json& value, std::string_view what) {
  if (!value.is_boolean()) return wrong(what, "a boolean", value);
  return value.get<bool>();
}

Result<std::string> to_string(const Json& value, std::string_view what) {
  if (!value.is_string()) return wrong(what, "a string", value);
  return value.get<std::string>();
}

Result<const Json*> to_array(const Json& value, std::string_view what) {
  if (!value.is_array()) return wrong(what, "an array", value);
  return &value;
}

Result<const Json*> to_object(const Json& value, std::string_view what) {
  if (!value.is_object()) return wrong(what, "an object", value);
  return &value;
}

Result<const Json*> member(const Json& object, std::string_view key) {
  if (!object.is_object()) return wrong(fmt::format("the parent of '{}'", key), "an object", object);
  const auto found = object.find(key);
  if (found == object.end()) return error("F8-0106", fmt::format("'{}' is missing", key));
  return &*found;
}

Result<const Json*> array_member(const Json& object, std::string_view key) {
  F8_TRY(const Json* value, member(object, key));
  return to_array(*value, fmt::format("'{}'", key));
}

Result<const Json*> object_member(const Json& object, std::string_view key) {
  F8_TRY(const Json* value, member(object, key));
  return to_object(*value, fmt::format("'{}'", key));
}

Result<std::string> string_member(const Json& object, std::string_view key) {
  F8_TRY(const Json* value, member(object, key));
  return to_string(*value, fmt::format("'{}'", key));
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<Union> to_union(const Json& value, std::string_view what) {
  if (!value.is_object()) return wrong(what, "an object with one key", value);
  if (value.size() != 1)
    return error("F8-0106", fmt::format("{} has {} keys, expected one", printable(what), value.size()));
  return Union{value.begin().key(), &value.begin().value()};
}

}  // namespace fold8::pt2
