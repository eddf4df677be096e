// Symbolic sizes: what torch.export(dynamic_shapes=...) leaves in an archive, and the numbers that --bind gives them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "pt2/json.h"

namespace fold8::pt2 {

class Symbols {
 public:
  // `range_constraints` as in the archive's JSON (null if absent); each binding is checked against its range by
  // check().
  static Result<Symbols> read(const Json* range_constraints, const std::map<std::string, int64_t>& bind);

  // A size: {"as_int": 3}, or {"as_expr": {...}} over bound symbols.
  Result<int64_t> size(const Json& value, std::string_view what) const;

  // Notes the symbols in the sizes of `input`, so that check() can name all that are open at once.
  Result<> note_input(std::string_view input, const Json& sizes);

  // Is every symbol of an input bound, every binding's symbol known, and every number in its range?
  Result<> check() const;

 private:
  struct Range {
    std::optional<int64_t> min;
    std::optional<int64_t> max;
  };

  std::string describe(const std::string& symbol) const;
  Diag open_symbols(const std::set<std::string>& open) const;

  std::map<std::string, Range> known_;
  std::map<std::string, std::string> first_input_;  // symbol -> the input that shows it first
  std::map<std::string, int64_t> bind_;
};

}  // namespace fold8::pt2
