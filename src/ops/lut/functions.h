// The real functions that tables hold: a row each. A row says how graphs spell it, what it takes, and what it computes;
// nothing else in the project knows it by name. Where a result is no number (the logarithm of -1) it is a NaN, which
// quantizes to the zero point; infinities saturate.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/infer.h"

namespace fold8::ops {

struct Function {
  std::string_view target;            // in graphs; or just the name, where another op's import makes it
  std::span<const ir::Param> params;  // of the schema: operands first, then numbers, each an attribute of its name
  double (*real)(const double* x, const double* numbers) = nullptr;
  std::optional<ir::FixedResult> fixed = std::nullopt;  // where its range is known without calibration
  size_t operands = 1;

  constexpr bool is_imported() const { return target.starts_with(kAten); }
  // The attribute function=: "silu" of torch.ops.aten.silu.default, "pow.Scalar" of torch.ops.aten.pow.Scalar.
  constexpr std::string_view name() const {
    std::string_view name = target.substr(is_imported() ? kAten.size() : 0);
    if (name.ends_with(kDefault)) name.remove_suffix(kDefault.size());
    return name;
  }

 private:
  static constexpr std::string_view kAten = "torch.ops.aten.";
  static constexpr std::string_view kDefault = ".default";
};

namespace function {

using ir::Param;

inline constexpr Param kSelf[] = {{"self"}};
inline constexpr Param kElu[] = {{"self"}, {"alpha", "1"}, {"scale", "1"}, {"input_scale", "1"}};
inline constexpr Param kCelu[] = {{"self"}, {"alpha", "1"}};
inline constexpr Param kGelu[] = {{"self"}, {"approximate", "\"none\""}};
inline constexpr Param kLeakyRelu[] = {{"self"}, {"negative_slope", "0.01"}};
inline constexpr Param kSoftplus[] = {{"self"}, {"beta", "1"}, {"threshold", "20"}};
inline constexpr Param kShrink[] = {{"self"}, {"lambd", "0.5"}};
inline constexpr Param kThreshold[] = {{"self"}, {"threshold"}, {"value"}};
inline constexpr Param kPower[] = {{"self"}, {"exponent"}};
inline constexpr Param kOther[] = {{"self"}, {"other"}};
inline constexpr Param kWeight[] = {{"self"}, {"weight"}};

inline constexpr ir::FixedResult kUnit = {.scale = 1.0 / 256, .zero = -128};  // 0..1
inline constexpr ir::FixedResult kSigned = {.scale = 1.0 / 128, .zero = 0};   // -1..1

constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double relu6(double x) { return std::min(std::max(x, 0.0), 6.0); }
inline double gelu(double x) { return x * std::erfc(-x / std::numbers::sqrt2) / 2; }
// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
inline double gelu_by_tanh(double x) {
  return x * sigmoid(2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (x + 0.044715 * x * x * x));
}
inline double negative_part(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }

// clang-format off
inline constexpr Function kRows[] = {
    {"torch.ops.aten.sigmoid.default",         kSelf,      [](auto* x, auto*) { return sigmoid(*x); }, kUnit},
    {"torch.ops.aten.tanh.default",            kSelf,      [](auto* x, auto*) { return std::tanh(*x); }, kSigned},
    {"torch.ops.aten.hardsigmoid.default",     kSelf,      [](auto* x, auto*) { return relu6(*x + 3) / 6; }, kUnit},
    {"torch.ops.aten.hardswish.default",       kSelf,      [](auto* x, auto*) { return *x * relu6(*x + 3) / 6; }},
    {"torch.ops.aten.silu.default",            kSelf,      [](auto* x, auto*) { return *x / (1 + std::exp(-*x)); }},
    {"torch.ops.aten.gelu.default",            kGelu,      [](auto* x, auto* n) { return n[0] == 0 ? gelu(*x) : gelu_by_tanh(*x); }},
    {"torch.ops.aten.mish.default",            kSelf,      [](auto* x, auto*) { return *x * std::tanh(softplus(*x)); }},
    {"torch.ops.aten.elu.default",             kElu,       [](auto* x, auto* n) { return *x > 0 ? *x * n[1] : n[0] * n[1] * std::expm1(*x * n[2]); }},
    {"torch.ops.aten.celu.default",            kCelu,      [](auto* x, auto* n) { return *x > 0 ? *x : n[0] * std::expm1(*x / n[0]); }},
    {"torch.ops.aten.selu.default",            kSelf,      [](auto* x, auto*) { return kSeluScale * negative_part(*x, kSeluAlpha); }},
    {"torch.ops.aten.leaky_relu.default",      kLeakyRelu, [](auto* x, auto* n) { return *x > 0 ? *x : *x * n[0]; }},
    {"torch.ops.aten.prelu.default",           kWeight,    [](auto* x, auto*) { return x[0] > 0 ? x[0] : x[0] * x[1]; }, {}, 2},
    {"torch.ops.aten.softplus.default",        kSoftplus,  [](auto* x, auto* n) { return *x * n[0] > n[1] ? *x : softplus(*x * n[0]) / n[0]; }},
    {"torch.ops.aten.log_sigmoid.default",     kSelf,      [](auto* x, auto*) { return -softplus(-*x); }},
    {"torch.ops.aten.hardshrink.default",      kShrink,    [](auto* x, auto* n) { return std::abs(*x) <= n[0] ? 0 : *x; }},
    {"torch.ops.aten.softshrink.default",      kShrink,    [](auto* x, auto* n) { return *x > n[0] ? *x - n[0] : *x < -n[0] ? *x + n[0] : 0; }},
    {"torch.ops.aten.threshold.default",       kThreshold, [](auto* x, auto* n) { return *x > n[0] ? *x : n[1]; }},
    {"torch.ops.aten.exp.default",             kSelf,      [](auto* x, auto*) { return std::exp(*x); }},
    {"torch.ops.aten.exp2.default",            kSelf,      [](auto* x, auto*) { return std::exp2(*x); }},
    {"torch.ops.aten.expm1.default",           kSelf,      [](auto* x, auto*) { return std::expm1(*x); }},
    {"torch.ops.aten.log.default",             kSelf,      [](auto* x, auto*) { return std::log(*x); }},
    {"torch.ops.aten.log1p.default",           kSelf,      [](auto* x, auto*) { return std::log1p(*x); }},
    {"torch.ops.aten.log2.default",            kSelf,      [](auto* x, auto*) { return std::log2(*x); }},
    {"torch.ops.aten.log10.default",           kSelf,      [](auto* x, auto*) { return std::log10(*x); }},
    {"torch.ops.aten.sqrt.default",            kSelf,      [](auto* x, auto*) { return std::sqrt(*x); }},
    {"torch.ops.aten.rsqrt.default",           kSelf,      [](auto* x, auto*) { return 1 / std::sqrt(*x); }},
    {"torch.ops.aten.reciprocal.default",      kSelf,      [](auto* x, auto*) { return 1 / *x; }},
    {"torch.ops.aten.abs.default",             kSelf,      [](auto* x, auto*) { return std::abs(*x); }},
    {"torch.ops.aten.neg.default",             kSelf,      [](auto* x, auto*) { return -*x; }},
    {"torch.ops.aten.sign.default",            kSelf,      [](auto* x, auto*) { return static_cast<double>((*x > 0) - (*x < 0)); }, kSigned},
    {"torch.ops.aten.square.default",          kSelf,      [](auto* x, auto*) { return *x * *x; }},
    {"torch.ops.aten.pow.Tensor_Scalar",       kPower,     [](auto* x, auto* n) { return std::pow(*x, n[0]); }},
    {"torch.ops.aten.sin.default",             kSelf,      [](auto* x, auto*) { return std::sin(*x); }, kSigned},
    {"torch.ops.aten.cos.default",             kSelf,      [](auto* x, auto*) { return std::cos(*x); }, kSigned},
    {"torch.ops.aten.tan.default",             kSelf,      [](auto* x, auto*) { return std::tan(*x); }},
    {"torch.ops.aten.asin.default",            kSelf,      [](auto* x, auto*) { return std::asin(*x); }},
    {"torch.ops.aten.acos.default",            kSelf,      [](auto* x, auto*) { return std::acos(*x); }},
    {"torch.ops.aten.atan.default",            kSelf,      [](auto* x, auto*) { return std::atan(*x); }},
    {"torch.ops.aten.sinh.default",            kSelf,      [](auto* x, auto*) { return std::sinh(*x); }},
    {"torch.ops.aten.cosh.default",            kSelf,      [](auto* x, auto*) { return std::cosh(*x); }},
    {"torch.ops.aten.asinh.default",           kSelf,      [](auto* x, auto*) { return std::asinh(*x); }},
    {"torch.ops.aten.acosh.default",           kSelf,      [](auto* x, auto*) { return std::acosh(*x); }},
    {"torch.ops.aten.atanh.default",           kSelf,      [](auto* x, auto*) { return std::atanh(*x); }},
    {"torch.ops.aten.erf.default",             kSelf,      [](auto* x, auto*) { return std::erf(*x); }, kSigned},
    {"torch.ops.aten.erfc.default",            kSelf,      [](auto* x, auto*) { return std::erfc(*x); }},
    {"torch.ops.aten.floor.default",           kSelf,      [](auto* x, auto*) { return std::floor(*x); }},
    {"torch.ops.aten.ceil.default",            kSelf,      [](auto* x, auto*) { return std::ceil(*x); }},
    {"torch.ops.aten.round.default",           kSelf,      [](auto* x, auto*) { return std::nearbyint(*x); }},
    {"torch.ops.aten.trunc.default",           kSelf,      [](auto* x, auto*) { return std::trunc(*x); }},
    {"torch.ops.aten.frac.default",            kSelf,      [](auto* x, auto*) { return *x - std::trunc(*x); }},
    {"div",                                    kOther,     [](auto* x, auto*) { return x[0] / x[1]; }, {}, 2},
    {"torch.ops.aten.maximum.default",         kOther,     [](auto* x, auto*) { return std::max(x[0], x[1]); }, {}, 2},
    {"torch.ops.aten.minimum.default",         kOther,     [](auto* x, auto*) { return std::min(x[0], x[1]); }, {}, 2},
};
// clang-format on

}  // namespace function
}  // namespace fold8::ops
