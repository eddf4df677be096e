#include "ir/import.h"

#include <fmt/format.h>

#include "ir/op.h"

namespace fold8::ir {
namespace {

const char* kind_name(const Arg& arg) {
  constexpr const char* kNames[] = {"none",     "a bool", "an integer", "a float",          "a string",
                                    "integers", "floats", "a tensor",   "a list of tensors"};
  return kNames[arg.index()];
}

}  // namespace

Result<> ImportCall::expect_results(int64_t count) const {
  if (count == static_cast<int64_t>(result_names.size())) return ok;
  return error("F8-0117",
               fmt::format("the archive says {} has {} results, the op gives {}", target, result_names.size(), count))
      .in(program.file)
      .at(place);
}

Diag ImportCall::fail(std::string code, std::string message) const {
  return error(std::move(code), fmt::format("{}: {}", target, message)).in(program.file).at(place);
}

namespace {

template <class T>
Result<T> expect(const ImportCall& call, std::string_view arg, const char* wanted) {
  const auto found = call.args.find(arg);
  require(found != call.args.end(), "an import row lists every argument its function asks for");
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  return call.fail("F8-0110", fmt::format("argument '{}' is {}, expected {}", arg, kind_name(found->second), wanted));
}

bool is_none(const ImportCall& call, std::string_view arg) {
  const auto found = call.args.find(arg);
  return found != call.args.end() && std::holds_alternative<std::monostate>(found->second);
}

}  // namespace

Result<ValueId> ImportCall::tensor(std::string_view arg) const { return expect<ValueId>(*this, arg, "a tensor"); }

Result<ValueId> ImportCall::optional_tensor(std::string_view arg) const {
  if (is_none(*this, arg)) return ValueId::none;
  return tensor(arg);
}

Result<int64_t> ImportCall::integer(std::string_view arg) const { return expect<int64_t>(*this, arg, "an integer"); }

Result<double> ImportCall::number(std::string_view arg) const {
  const auto found = args.find(arg);
  if (found != args.end()) {
    if (const auto* i = std::get_if<int64_t>(&found->second)) return static_cast<double>(*i);
    if (const auto* b = std::get_if<bool>(&found->second)) return *b ? 1.0 : 0.0;
  }
  return expect<double>(*this, arg, "a number");
}

Result<double> ImportCall::number_or(std::string_view arg, double none) const {
  if (is_none(*this, arg)) return none;
  return number(arg);
}

Result<bool> ImportCall::boolean(std::string_view arg) const { return expect<bool>(*this, arg, "a bool"); }

Result<std::vector<int64_t>> ImportCall::integers(std::string_view arg) const {
  const auto found = args.find(arg);
  if (found != args.end())
    if (const auto* i = std::get_if<int64_t>(&found->second)) return std::vector<int64_t>{*i};
  return expect<std::vector<int64_t>>(*this, arg, "a list of integers");
}

Result<ValueId> ImportCall::emit(const OpDef& op, std::vector<ValueId> operands, Attrs attrs, bool is_result) {
  Node node{&op, name, std::move(operands), {}, std::move(attrs), {place}};
  auto types = op.infer(program, node);
  if (!types) {
    const Diag& inner = types.errors().front();
    return program.error_at(node, inner.code, inner.message);
  }
  for (Type& type : *types) {
    const bool named = is_result && results.size() < result_names.size();
    const ValueId id = program.add_value(named ? result_names[results.size()] : name, std::move(type));
    if (is_result) results.push_back(id);
    node.outputs.push_back(id);
  }
  program.nodes.push_back(std::move(node));
  return program.nodes.back().outputs.front();
}

}  // namespace fold8::ir
