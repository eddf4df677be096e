#include "ops/affine.h"

namespace fold8::ops {

using namespace ir;

void set_affine(Node& node, const std::optional<quant::Affine>& affine) {
  if (affine) {
    node.attrs.set("affine", std::vector<int64_t>{affine->a, affine->b, affine->c, affine->shift});
  } else {
    node.attrs.set("why", std::string("no integers found that round every result alike in one shift"));
  }
}

std::optional<quant::Affine> affine_of(const Node& node) {
  if (!node.attrs.has("affine")) return std::nullopt;
  const auto& list = node.attrs.integers("affine");
  return quant::Affine{static_cast<int32_t>(list[0]), static_cast<int32_t>(list[1]), static_cast<int32_t>(list[2]),
                       static_cast<int>(list[3])};
}

Result<> check_affine(const Node& node) {
  const Attr* attr = node.attrs.find("affine");
  if (attr == nullptr) return ok;
  const auto* list = std::get_if<std::vector<int64_t>>(attr);
  const bool fits = list != nullptr && list->size() == 4 && (*list)[3] >= quant::kLeastAffineShift &&
                    (*list)[3] <= quant::kMostAffineShift;
  if (!fits)
    return bad_operand(
        fmt::format("affine=[a,b,c,shift] needs {} <= shift <= {}", quant::kLeastAffineShift, quant::kMostAffineShift));
  for (size_t i = 0; i < 3; ++i)
    if ((*list)[i] < INT32_MIN || (*list)[i] > INT32_MAX) return bad_operand("affine= has a number beyond int32");
  return ok;
}

KernelStruct affine_struct(const quant::Affine& affine) {
  return {"f8k::Affine", {{"a", affine.a}, {"b", affine.b}, {"c", affine.c}}};
}

std::vector<std::string> shift_template_args(const Node& node, int shift) {
  const Bounds bounds = clamp_bounds(node);
  const bool clamps = bounds.lo != -128 || bounds.hi != 127;
  return {std::to_string(shift), clamps ? "true" : "false"};
}

}  // namespace fold8::ops
