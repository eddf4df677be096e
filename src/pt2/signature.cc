#include "pt2/signature.h"

#include <fmt/format.h>

#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

Diag refused_input(const std::string& what) {
  return error("F8-0113", what)
      .note(
          "a program's inputs are tensors: give other arguments their values before the export, as in "
          "functools.partial or a wrapper module");
}

// "a number, 3" of {"as_int": 3}; "a number, sym_size" of {"as_sym_int": {"as_name": "sym_size"}}.
std::string described(const Union& value) {
  struct Word {
    std::string_view kind, word;
  };
  constexpr Word kWords[] = {{"as_int", "a number"},
                             {"as_float", "a number"},
                             {"as_bool", "a bool"},
                             {"as_sym_int", "a number"},
                             {"as_sym_float", "a number"},
                             {"as_sym_bool", "a bool"},
                             {"as_string", "a string"},
                             {"as_none", "None"},
                             {"as_ints", "a list of numbers"},
                             {"as_tensors", "a list of tensors"}};
  std::string text = fmt::format("of kind '{}'", printable(value.kind));
  for (const auto& [kind, word] : kWords)
    if (kind == value.kind) text = word;
  const Json* name = find(*value.value, "as_name");
  if (name == nullptr) name = value.value;
  if (name->is_string()) text += ", " + printable(name->get<std::string>());
  if (name->is_number()) text += ", " + name->dump();
  return text;
}

Result<> read_user_input(const Json& spec, Signature& signature) {
  F8_TRY(const Json* arg, member(spec, "arg"));
  F8_TRY(const Union value, to_union(*arg, "a user input"));
  if (value.kind != "as_tensor")
    return refused_input(
        fmt::format("input {} of the model is {}, not a tensor", signature.user_inputs.size() + 1, described(value)));
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
    return error("F8-0113", fmt::format("output {} of the model is {}, not a tensor", signature.outputs.size() + 1,
                                        described(value)))
        .note("return tensors alone: sizes and constants are known when the model is exported");
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
               fmt::format("the program has an output of kind '{}'; only tensors are returned", printable(spec.kind)))
      .note("export for inference, with a forward() that returns tensors alone");
}

// Reads every entry of the array `key`, gathering what is wrong with any.
Result<> read_each(const Json& json, const char* key, Result<> (*read_one)(const Json&, Signature&),
                   Signature& signature, Diags& blockers) {
  F8_TRY(const Json* specs, array_member(json, key));
  for (const Json& entry : *specs)
    if (auto one = read_one(entry, signature); !one)
      blockers.insert(blockers.end(), one.errors().begin(), one.errors().end());
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

Result<Signature> read_signature(const Json& json, Diags& blockers) {
  Signature signature;
  F8_CHECK(read_each(json, "input_specs", read_input, signature, blockers));
  F8_CHECK(read_each(json, "output_specs", read_output, signature, blockers));
  if (signature.outputs.empty() && blockers.empty())
    return error("F8-0113", "the program returns nothing").note("have forward() return a tensor");
  return signature;
}

}  // namespace fold8::pt2
