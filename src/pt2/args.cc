#include "pt2/args.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

using ir::Arg;
using ir::ValueId;

Diag unsupported_kind(const std::string& what, std::string_view kind) {
  return error("F8-0110",
               fmt::format("{} is of kind '{}', which fold8 does not read", printable(what), printable(kind)));
}

template <class T>
Result<> store(Arg& out, Result<T> value) {
  if (!value) return value.take_errors();
  out = std::move(*value);
  return ok;
}

// Every entry of the array `list`, read by `read_one`.
template <class T, class ReadOne>
Result<std::vector<T>> read_list(const Json& list, const std::string& what, ReadOne read_one) {
  F8_CHECK(to_array(list, what));
  std::vector<T> out;
  for (const Json& entry : list) {
    F8_TRY(T value, read_one(entry));
    out.push_back(std::move(value));
  }
  return out;
}

Result<ValueId> tensor(const Json& value, const ArgContext& context) {
  F8_TRY(const std::string name, string_member(value, "name"));
  return context.value_of(name);
}

// {"as_tensor": {...}} or {"as_none": true}
Result<ValueId> optional_tensor(const Json& value, const std::string& what, const ArgContext& context) {
  F8_TRY(const Union choice, to_union(value, what));
  if (choice.kind == "as_none") return ValueId::none;
  if (choice.kind == "as_tensor") return tensor(*choice.value, context);
  return unsupported_kind(what, choice.kind);
}

// {"as_int": 3}, or {"as_name": "sym_size"}: a value that the graph computes from symbols.
Result<int64_t> sym_int(const Json& value, const std::string& what, const ArgContext& context) {
  F8_TRY(const Union choice, to_union(value, what));
  if (choice.kind == "as_int") return to_int(*choice.value, what);
  if (choice.kind != "as_name") return unsupported_kind(what, choice.kind);
  F8_TRY(const std::string name, to_string(*choice.value, what));
  const Json* known = context.sym_int_values == nullptr ? nullptr : find(*context.sym_int_values, name);
  if (known == nullptr)
    return error("F8-0116", fmt::format("{} names '{}', which nothing defines", what, printable(name)));
  return context.symbols.size(*known, what);
}

// The plain value that an as_sym_bool or as_sym_float may hold.
Result<const Json*> plain(const Json& value, const std::string& what, std::string_view kind) {
  F8_TRY(const Union choice, to_union(value, what));
  if (choice.kind != kind) return unsupported_kind(what, choice.kind);
  return choice.value;
}

// {"type": "cuda", "index": 0} -> "cuda:0"
Result<std::string> device(const Json& value) {
  F8_TRY(std::string text, string_member(value, "type"));
  if (const Json* index = find(value, "index")) {
    F8_TRY(const int64_t number, to_int(*index, "the device's index"));
    text += fmt::format(":{}", number);
  }
  return text;
}

struct Source {
  const Json& value;
  const std::string& what;
  const ArgContext& context;
};

Result<> read_none(const Source&, Arg&) { return ok; }
Result<> read_int(const Source& in, Arg& out) { return store(out, to_int(in.value, in.what)); }
Result<> read_float(const Source& in, Arg& out) { return store(out, to_float(in.value, in.what)); }
Result<> read_bool(const Source& in, Arg& out) { return store(out, to_bool(in.value, in.what)); }
Result<> read_string(const Source& in, Arg& out) { return store(out, to_string(in.value, in.what)); }
Result<> read_device(const Source& in, Arg& out) { return store(out, device(in.value)); }
Result<> read_tensor(const Source& in, Arg& out) { return store(out, tensor(in.value, in.context)); }
Result<> read_sym_int(const Source& in, Arg& out) { return store(out, sym_int(in.value, in.what, in.context)); }

Result<> read_optional_tensor(const Source& in, Arg& out) {
  F8_TRY(const ValueId id, optional_tensor(in.value, in.what, in.context));
  if (id != ValueId::none) out = id;
  return ok;
}
Result<> read_sym_bool(const Source& in, Arg& out) {
  F8_TRY(const Json* value, plain(in.value, in.what, "as_bool"));
  return store(out, to_bool(*value, in.what));
}
Result<> read_sym_float(const Source& in, Arg& out) {
  F8_TRY(const Json* value, plain(in.value, in.what, "as_float"));
  return store(out, to_float(*value, in.what));
}
Result<> read_ints(const Source& in, Arg& out) {
  return store(out, read_list<int64_t>(in.value, in.what, [&](const Json& entry) { return to_int(entry, in.what); }));
}
Result<> read_floats(const Source& in, Arg& out) {
  return store(out, read_list<double>(in.value, in.what, [&](const Json& entry) { return to_float(entry, in.what); }));
}
Result<> read_bools(const Source& in, Arg& out) {
  auto one = [&](const Json& entry) -> Result<int64_t> {
    F8_TRY(const bool value, to_bool(entry, in.what));
    return int64_t{value};
  };
  return store(out, read_list<int64_t>(in.value, in.what, one));
}
Result<> read_sym_ints(const Source& in, Arg& out) {
  auto one = [&](const Json& entry) { return sym_int(entry, in.what, in.context); };
  return store(out, read_list<int64_t>(in.value, in.what, one));
}
Result<> read_tensors(const Source& in, Arg& out) {
  auto one = [&](const Json& entry) { return tensor(entry, in.context); };
  return store(out, read_list<ValueId>(in.value, in.what, one));
}
Result<> read_optional_tensors(const Source& in, Arg& out) {
  auto one = [&](const Json& entry) { return optional_tensor(entry, in.what, in.context); };
  return store(out, read_list<ValueId>(in.value, in.what, one));
}

struct Kind {
  std::string_view name;
  Result<> (*read)(const Source&, Arg&);
};

// The rest of schema.py's Argument (graphs, script objects, complex numbers, lists of lists) no supported op takes.
constexpr Kind kKinds[] = {
    {"as_none", read_none},
    {"as_tensor", read_tensor},
    {"as_tensors", read_tensors},
    {"as_optional_tensor", read_optional_tensor},
    {"as_optional_tensors", read_optional_tensors},
    {"as_int", read_int},
    {"as_ints", read_ints},
    {"as_float", read_float},
    {"as_floats", read_floats},
    {"as_bool", read_bool},
    {"as_bools", read_bools},
    {"as_string", read_string},
    {"as_device", read_device},
    {"as_scalar_type", read_int},
    {"as_memory_format", read_int},
    {"as_layout", read_int},
    {"as_sym_int", read_sym_int},
    {"as_sym_ints", read_sym_ints},
    {"as_sym_bool", read_sym_bool},
    {"as_sym_float", read_sym_float},
};

}  // namespace

Result<Arg> to_arg(const Json& value, const std::string& what, const ArgContext& context) {
  F8_TRY(const Union choice, to_union(value, what));
  const auto* kind = std::ranges::find(kKinds, choice.kind, &Kind::name);
  if (kind == std::end(kKinds)) return unsupported_kind(what, choice.kind);
  Arg out;
  F8_CHECK(kind->read({*choice.value, what, context}, out));
  return out;
}

Arg default_arg(const ir::Param& param) {
  const Json value = Json::parse(param.default_json, nullptr, false);
  if (value.is_null()) return std::monostate{};
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  require(value.is_array(), "a default in an import row is JSON that an argument can hold");
  auto is_integer = [](const Json& entry) { return entry.is_number_integer(); };
  auto is_number = [](const Json& entry) { return entry.is_number(); };
  if (std::all_of(value.begin(), value.end(), is_integer)) return value.get<std::vector<int64_t>>();
  require(std::all_of(value.begin(), value.end(), is_number), "a list in an import row holds numbers");
  return value.get<std::vector<double>>();
}

}  // namespace fold8::pt2
