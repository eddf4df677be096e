#include "pt2/symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/checked.h"
#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

// Far above what torch writes; keeps the recursive parser's stack small.
constexpr int kDeepestExpression = 32;

Diag not_understood(std::string_view text) {
  return error("F8-0112", fmt::format("symbolic size '{}' is not understood", printable(text)))
      .note("supported: symbols, integers, and sums and products of those; or export with fixed sizes");
}

// Evaluates sympy's srepr: Symbol('s77', ...), Integer(3), Add(a, b, ...), Mul(a, b, ...).
class Expression {
 public:
  using Lookup = std::function<Result<int64_t>(const std::string&)>;
  Expression(std::string_view text, Lookup lookup) : text_(text), rest_(text), lookup_(std::move(lookup)) {}

  Result<int64_t> evaluate() {
    F8_TRY(const int64_t value, term(0));
    if (!trim(rest_).empty()) return not_understood(text_);
    return value;
  }

 private:
  bool take(std::string_view token) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  Result<int64_t> term(int depth) {
    if (depth > kDeepestExpression) return not_understood(text_);
    if (take("Integer(")) return integer();
    if (take("Symbol('")) return symbol();
    if (take("Add(")) return fold(depth, 0, checked_add);
    if (take("Mul(")) return fold(depth, 1, checked_mul);
    return not_understood(text_);
  }

  Result<int64_t> integer() {
    const bool negative = take("-");
    std::optional<int64_t> value;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      const int64_t digit = rest_[0] - '0';
      const auto tens = checked_mul(value.value_or(0), 10);
      value = tens ? checked_add(*tens, digit) : std::nullopt;
      if (!value) return not_understood(text_);
      rest_.remove_prefix(1);
    }
    if (!value || !take(")")) return not_understood(text_);
    return negative ? -*value : *value;
  }

  Result<int64_t> symbol() {
    const size_t quote = rest_.find('\'');
    const size_t close = rest_.find(')');
    if (quote == std::string_view::npos || close == std::string_view::npos || close < quote)
      return not_understood(text_);
    const std::string name(rest_.substr(0, quote));
    rest_.remove_prefix(close + 1);  // over the assumptions: ', positive=True, integer=True)
    return lookup_(name);
  }

  Result<int64_t> fold(int depth, int64_t start, std::optional<int64_t> (*op)(int64_t, int64_t)) {
    int64_t value = start;
    do {
      F8_TRY(const int64_t operand, term(depth + 1));
      const auto next = op(value, operand);
      if (!next) return error("F8-0112", fmt::format("symbolic size '{}' overflows", printable(text_)));
      value = *next;
    } while (take(","));
    if (!take(")")) return not_understood(text_);
    return value;
  }

  std::string_view text_;
  std::string_view rest_;
  Lookup lookup_;
};

Result<int64_t> evaluate_size(const Json& value, std::string_view what, const Expression::Lookup& lookup) {
  F8_TRY(const Union size, to_union(value, what));
  if (size.kind == "as_int") return to_int(*size.value, what);
  if (size.kind != "as_expr") return error("F8-0106", fmt::format("{} is '{}'", printable(what), printable(size.kind)));
  F8_TRY(const std::string text, string_member(*size.value, "expr_str"));
  return Expression(text, lookup).evaluate();
}

}  // namespace

Result<Symbols> Symbols::read(const Json* range_constraints, const std::map<std::string, int64_t>& bind) {
  Symbols symbols;
  symbols.bind_ = bind;
  if (range_constraints == nullptr) return symbols;
  F8_CHECK(to_object(*range_constraints, "'range_constraints'"));
  for (const auto& [name, constraint] : range_constraints->items()) {
    Range range;
    if (const Json* min = find(constraint, "min_val")) {
      F8_TRY(range.min, to_int(*min, "'min_val'"));
    }
    if (const Json* max = find(constraint, "max_val")) {
      F8_TRY(range.max, to_int(*max, "'max_val'"));
    }
    symbols.known_[name] = range;
  }
  return symbols;
}

Result<int64_t> Symbols::size(const Json& value, std::string_view what) const {
  return evaluate_size(value, what, [&](const std::string& symbol) -> Result<int64_t> {
    if (const auto bound = bind_.find(symbol); bound != bind_.end()) return bound->second;
    return open_symbols({symbol});
  });
}

Result<> Symbols::note_input(std::string_view input, const Json& sizes) {
  for (const Json& entry : sizes) {
    auto note = [&](const std::string& symbol) -> Result<int64_t> {
      known_.try_emplace(symbol);
      first_input_.try_emplace(symbol, input);
      return 1;
    };
    F8_CHECK(evaluate_size(entry, fmt::format("a size of input '{}'", input), note));
  }
  return ok;
}

Result<> Symbols::check() const {
  for (const auto& [symbol, value] : bind_) {
    const auto known = known_.find(symbol);
    if (known == known_.end()) {
      std::vector<std::string> names;
      for (const auto& [name, range] : known_) names.push_back(printable(name));
      return error("F8-0111",
                   fmt::format("--bind {}={}: the program has no symbolic dimension '{}'", symbol, value, symbol))
          .note(names.empty() ? "it has none at all" : fmt::format("it has: {}", join(names, ", ")));
    }
    const Range& range = known->second;
    if (value < range.min.value_or(0) || (range.max && value > *range.max))
      return error("F8-0111", fmt::format("--bind {}={} is out of range: {}", symbol, value, describe(symbol)));
  }
  std::set<std::string> open;
  for (const auto& [symbol, input] : first_input_)
    if (!bind_.contains(symbol)) open.insert(symbol);
  if (!open.empty()) return open_symbols(open);
  return ok;
}

// "s77 (of input x, 1 to 64)"
std::string Symbols::describe(const std::string& symbol) const {
  std::vector<std::string> facts;
  if (const auto input = first_input_.find(symbol); input != first_input_.end())
    facts.push_back("of input " + input->second);
  if (const auto known = known_.find(symbol); known != known_.end()) {
    const auto& [min, max] = known->second;
    if (max) facts.push_back(fmt::format("{} to {}", min.value_or(0), *max));
    if (!max && min) facts.push_back(fmt::format("{} or more", *min));
  }
  return facts.empty() ? printable(symbol) : fmt::format("{} ({})", printable(symbol), join(facts, ", "));
}

Diag Symbols::open_symbols(const std::set<std::string>& open) const {
  std::vector<std::string> described;
  std::vector<std::string> remedies;
  for (const std::string& symbol : open) {
    described.push_back(describe(symbol));
    const auto known = known_.find(symbol);
    const int64_t least = known == known_.end() ? 1 : std::max<int64_t>(1, known->second.min.value_or(1));
    remedies.push_back(fmt::format("--bind {}={}", printable(symbol), least));
  }
  const char* noun = open.size() == 1 ? "dimension" : "dimensions";
  return error("F8-0109", fmt::format("symbolic {} without a size: {}", noun, join(described, "; ")))
      .note(fmt::format("firmware has fixed shapes; give each a size, such as {}", join(remedies, " ")));
}

}  // namespace fold8::pt2
