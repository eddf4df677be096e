// JSON that somebody else wrote: every access is checked and answers with a Result; no exception leaves this room.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pt2/archive.h"

namespace fold8::pt2 {

using Json = nlohmann::json;

// The archive's entry `name` as JSON. What the values take is estimated before any is made, and taken from the
// archive's allowance.
Result<Json> read_json(const Archive& archive, std::string_view name, int64_t max_bytes);

// `what` names the value in messages: "the storage_offset of weight_0".
Result<int64_t> to_int(const Json& value, std::string_view what);
Result<double> to_float(const Json& value,
                        std::string_view what);  // numbers and torch's "Infinity", "-Infinity", "NaN"
Result<bool> to_bool(const Json& value, std::string_view what);
Result<std::string> to_string(const Json& value, std::string_view what);
Result<const Json*> to_array(const Json& value, std::string_view what);
Result<const Json*> to_object(const Json& value, std::string_view what);

// The member `key` of `object`. The first four want it to be there; find() answers null when it is absent or null.
Result<const Json*> member(const Json& object, std::string_view key);
Result<const Json*> array_member(const Json& object, std::string_view key);
Result<const Json*> object_member(const Json& object, std::string_view key);
Result<std::string> string_member(const Json& object, std::string_view key);
const Json* find(const Json& object, std::string_view key);

// torch's unions are objects with one key that says which: {"as_tensor": {"name": "x"}}.
struct Union {
  std::string kind;
  const Json* value;
};
Result<Union> to_union(const Json& value, std::string_view what);

}  // namespace fold8::pt2
