// Words that op definitions share: checking operands, building errors, walking shapes.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "ir/op.h"
#include "quant/rescale.h"

namespace fold8::ir {

// An operand or attribute the op cannot have. The caller of infer() adds the place.
inline Diag bad_operand(std::string message) { return error("F8-0301", std::move(message)); }

// Something reals allow and the integer form does not.
inline Diag not_integer(const Program& program, const Node& node, std::string message) {
  return program.error_at(node, "F8-0302", std::move(message));
}

inline Result<> expect_operands(const Node& node, size_t least, size_t most) {
  size_t present = node.inputs.size();
  while (present > 0 && node.inputs[present - 1] == ValueId::none) --present;
  if (present < least || node.inputs.size() > most)
    return bad_operand(
        fmt::format("has {} operands, expected {}{}", present, least, most > least ? fmt::format(" to {}", most) : ""));
  for (size_t i = 0; i < least; ++i)
    if (node.inputs[i] == ValueId::none) return bad_operand(fmt::format("operand {} is absent", i));
  return ok;
}

inline bool has_input(const Node& node, size_t i) { return i < node.inputs.size() && node.inputs[i] != ValueId::none; }

// A dimension as PyTorch counts it: -1 is the last. nullopt if there is no such dimension.
inline std::optional<size_t> dimension(int64_t dim, size_t rank) {
  const auto n = static_cast<int64_t>(rank);
  if (dim < -n || dim >= n) return std::nullopt;
  return static_cast<size_t>(dim < 0 ? dim + n : dim);
}

// The bounds of an op that fuses a clamp: the attribute clamp=[lo,hi], or all of int8.
struct Bounds {
  int32_t lo = -128;
  int32_t hi = 127;
};

inline Bounds clamp_bounds(const Node& node) {
  if (!node.attrs.has("clamp")) return {};
  const auto& list = node.attrs.integers("clamp");
  return {static_cast<int32_t>(list[0]), static_cast<int32_t>(list[1])};
}

inline Result<> check_clamp(const Node& node) {
  const Attr* attr = node.attrs.find("clamp");
  if (attr == nullptr) return ok;
  const auto* list = std::get_if<std::vector<int64_t>>(attr);
  if (list == nullptr || list->size() != 2 || (*list)[0] < -128 || (*list)[1] > 127 || (*list)[0] > (*list)[1])
    return bad_operand("clamp=[lo,hi] needs -128 <= lo <= hi <= 127");
  return ok;
}

// The int8 nearest to `real` under `q`, saturated. For the bounds of a fused clamp.
inline int32_t quantized_bound(double real, const Quant& q) {
  if (real == std::numeric_limits<double>::infinity()) return 127;
  if (real == -std::numeric_limits<double>::infinity()) return -128;
  return quant::quantize(static_cast<float>(real), q.scale(), q.zero);
}

}  // namespace fold8::ir
