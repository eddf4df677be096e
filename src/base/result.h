// Result<T>: a T, or the diagnostics that say why there is none.
// Use F8_TRY(x, expr) to unwrap or return the errors, F8_CHECK(expr) for a Result<>.
#pragma once

#include <optional>
#include <utility>

#include "base/diag.h"

namespace fold8 {

struct Ok {};
inline constexpr Ok ok{};

template <class T = Ok>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}    // NOLINT: implicit on purpose
  Result(Diag diag) : errors_{std::move(diag)} {}  // NOLINT
  Result(Diags diags) : errors_(std::move(diags)) {
    require(!errors_.empty(), "a failed Result carries a diagnostic");
  }  // NOLINT

  explicit operator bool() const { return value_.has_value(); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

  const Diags& errors() const { return errors_; }
  Diags take_errors() { return std::move(errors_); }

 private:
  std::optional<T> value_;
  Diags errors_;
};

}  // namespace fold8

#define F8_CONCAT_(a, b) a##b
#define F8_CONCAT(a, b) F8_CONCAT_(a, b)

// F8_TRY(auto x, f()): x = *f(), or return f's errors from this function.
#define F8_TRY(declaration, expression) F8_TRY_(F8_CONCAT(f8_result_, __LINE__), declaration, expression)
#define F8_TRY_(result, declaration, expression) \
  auto result = (expression);                    \
  if (!result) return result.take_errors();      \
  declaration = std::move(*result)

// F8_CHECK(f()): return f's errors from this function, if there are any.
#define F8_CHECK(expression)                                                    \
  do {                                                                          \
    if (auto f8_check = (expression); !f8_check) return f8_check.take_errors(); \
  } while (false)
