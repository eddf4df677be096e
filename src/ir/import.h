// How an op is read from an exported graph. Rows stand with the op; readers are driven by them and know no op's name.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/program.h"

namespace fold8::ir {

// An argument of a call, defaults filled in. monostate is None.
using Arg = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                         ValueId, std::vector<ValueId>>;

struct ImportCall;

// A parameter of the op's schema. Exporters leave out arguments that stand at their default, so the row states it, as
// JSON: "null", "true", "1", "1e-05", "[1,1]", "\"mean\"". No default: the argument must be there.
struct Param {
  std::string_view name;
  std::string_view default_json = "";
};

struct ImportRow {
  std::string_view target;  // "torch.ops.aten.linear.default"
  std::span<const Param> params;
  Result<> (*import)(ImportCall&) = nullptr;
};

// One node of an exported graph on its way into a Program.
struct ImportCall {
  Program& program;
  std::string target;
  std::string name;  // fx node name
  Place place;
  std::map<std::string, Arg, std::less<>> args;
  std::vector<std::string> result_names;
  std::vector<ValueId> results;  // filled by the import function, one per result name
  const ImportRow* row = nullptr;  // that reads it; of an in-place op without a row, that of the op it is named after

  // Typed access; the error names target, argument and what was found.
  Result<ValueId> tensor(std::string_view arg) const;
  Result<ValueId> optional_tensor(std::string_view arg) const;  // ValueId::none for None
  Result<int64_t> integer(std::string_view arg) const;
  Result<double> number(std::string_view arg) const;                  // accepts int, float, bool
  Result<double> number_or(std::string_view arg, double none) const;  // `none` for None
  Result<bool> boolean(std::string_view arg) const;
  Result<std::vector<int64_t>> integers(std::string_view arg) const;  // accepts one int as a list of one

  // Appends `op` with this call's name and place; result types come from infer(). Results are appended to `results`
  // when `is_result`, else they get a derived name.
  Result<ValueId> emit(const OpDef& op, std::vector<ValueId> operands, Attrs attrs, bool is_result = true);

  // Whether the graph names `count` results: to be asked before anything is made for each of them.
  Result<> expect_results(int64_t count) const;

  Diag fail(std::string code, std::string message) const;
};

}  // namespace fold8::ir
