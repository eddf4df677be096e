#include "pt2/signature.h"

#include <fmt/format.h>

#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

Diag refused_input(const std::string& what) {
  return error("F8-0113", what).note("a program's inputs are tensors; fix other arguments before the export");
}

Result<> read_user_input(const Json& spec, Signature& signature) {
  F8_TRY(const Json* arg, member(spec, "arg"));
  F8_TRY(const Union value, to_union(*arg, "a user input"));
  if (value.kind != "as_tensor")
    return refused_input(fmt::format("an input of the model is '{}', not a tensor", printable(value.kind)));
  F8_TRY(std::string name, string_member(*value.value, "name"));
  signature.user_inputs.push_back(std::move(name));
  return ok;
}

Result<> read_stored_input(const Json& spec, Store store, const char* name_key, Signature& signature) {
  F8_TRY(const Json* arg, member(spec, "arg"));
  StoredInput input;
  input.store = store;
  F8_TRY(input.name, string_member(*arg, "name"));
  F8_TRY(input.stored_name, string_member(spec, name_key));
  signature.stored_inputs.push_back(std::move(input));
  return ok;
}

Result<> read_buffer(const Json& spec, Signature& signature) {
  F8_TRY(const Json* flag, member(spec, "persistent"));
  F8_TRY(const bool persistent, to_bool(*flag, "'persistent'"));
  return read_stored_input(spec, persistent ? Store::weights : Store::constants, "buffer_name", signature);
}

Result<> read_input(const Json& entry, Signature& signature) {
  F8_TRY(const Union spec, to_union(entry, "an input spec"));
  if (spec.kind == "user_input") return read_user_input(*spec.value, signature);
  if (spec.kind == "parameter") return read_stored_input(*spec.value, Store::weights, "parameter_name", signature);
  if (spec.kind == "buffer") return read_buffer(*spec.value, signature);
  if (spec.kind == "tensor_constant")
    return read_stored_input(*spec.value, Store::constants, "tensor_constant_name", signature);
  if (spec.kind == "constant_input") {
    const Json* name = find(*spec.value, "name");
    const std::string text = name != nullptr && name->is_string() ? printable(name->get<std::string>()) : "?";
    return refused_input(fmt::format("input '{}' of the model is a constant, not a tensor", text));
  }
  return refused_input(fmt::format("the program has an input of kind '{}'", printable(spec.kind)));
}

Result<> read_user_output(const Json& spec, Signature& signature) {
  F8_TRY(const Json* arg, member(spec, "arg"));
  F8_TRY(const Union value, to_union(*arg, "an output"));
  if (value.kind != "as_tensor")
    return error("F8-0113", fmt::format("an output of the model is '{}', not a tensor", printable(value.kind)));
  F8_TRY(std::string name, string_member(*value.value, "name"));
  signature.outputs.push_back(std::move(name));
  return ok;
}

Result<> read_output(const Json& entry, Signature& signature) {
  struct Mutation {
    const char* kind;
    const char* name_key;
    const char* what;
  };
  constexpr Mutation kMutations[] = {{"buffer_mutation", "buffer_name", "buffer"},
                                     {"user_input_mutation", "user_input_name", "input"},
                                     {"parameter_mutation", "parameter_name", "parameter"}};
  F8_TRY(const Union spec, to_union(entry, "an output spec"));
  if (spec.kind == "user_output") return read_user_output(*spec.value, signature);
  for (const Mutation& mutation : kMutations) {
    if (spec.kind != mutation.kind) continue;
    F8_TRY(const std::string name, string_member(*spec.value, mutation.name_key));
    return hidden_state(fmt::format("{} '{}'", mutation.what, printable(name)));
  }
  return error("F8-0113",
               fmt::format("the program has an output of kind '{}'; only tensors are returned", printable(spec.kind)));
}

// Reads every entry of the array `key`, gathering what is wrong with any.
Result<> read_each(const Json& json, const char* key, Result<> (*read_one)(const Json&, Signature&),
                   Signature& signature) {
  F8_TRY(const Json* specs, array_member(json, key));
  Diags wrong;
  for (const Json& entry : *specs)
    if (auto one = read_one(entry, signature); !one)
      wrong.insert(wrong.end(), one.errors().begin(), one.errors().end());
  if (!wrong.empty()) return wrong;
  return ok;
}

}  // namespace

Diag hidden_state(const std::string& what) {
  return error("F8-0114", fmt::format("the program changes {}; a compiled program has no state of its own", what))
      .note(
          "make the state explicit: take it as an input and return its new value as an output, "
          "def forward(self, x, state): ... return y, new_state")
      .note(
          "quantizing a model with state in a buffer can also lose that state: convert_pt2e folds reads of it into "
          "constants");
}

Result<Signature> read_signature(const Json& json) {
  Signature signature;
  F8_CHECK(read_each(json, "input_specs", read_input, signature));
  F8_CHECK(read_each(json, "output_specs", read_output, signature));
  if (signature.outputs.empty()) return error("F8-0113", "the program returns nothing");
  return signature;
}

}  // namespace fold8::pt2
