// Was the program quantized at all, and did the quantizer's observers see data? Observers that saw none give scale 1
// and zero point 0 (torchao 0.18, observer.py: _calculate_qparams of min > max); those that saw zeros only give the
// least scale they may, 2^-12 (XNNPACKQuantizer) or float32's epsilon. Both would compile, and compute nothing of use.
// One scale of 1 is possible, so it is an error only where every activation has it, and there is more than one.
#include <fmt/format.h>

#include <algorithm>

#include "ir/unread.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

constexpr const char* kCalibrate =
    "run the prepared model on real inputs between prepare_pt2e and convert_pt2e: for x in calibration_inputs: "
    "prepared(x)";

bool quantizes_activation(const Program& p, const CoreOps& core, const Node& node) {
  return node.op == core.quantize && !p[node.inputs[0]].is_constant();
}

const Quant& parameters(const Program& p, const Node& quantize) { return *p.type(quantize.outputs[0]).quant; }

bool saw_nothing(const Quant& q) { return q.scale() == 1.0 && q.zero == 0; }
bool saw_zeros(const Quant& q) { return q.scale() == 0x1p-12 || q.scale() == 0x1p-23; }

Result<> none_quantized(const Program& p, const CoreOps& core) {
  const auto has_q8_input = [&](ValueId id) { return p.type(id).elem == Elem::i8; };
  if (std::ranges::any_of(p.inputs, has_q8_input)) return ok;
  const bool computes = std::ranges::any_of(
      p.nodes, [&](const Node& node) { return node.op != core.dequantize && !node.op->quant.moves(); });
  if (!computes) return ok;  // what is left in float is told node by node
  const bool weights = std::ranges::any_of(p.nodes, [&](const Node& n) { return n.op == core.dequantize; });
  return error("F8-0308", weights ? "only weights are quantized: every activation is float, and fold8 computes in int8"
                                  : "nothing in the program is quantized, and fold8 computes in int8 only")
      .in(p.file)
      .note(
          "quantize it before the export: prepare_pt2e, calibration on real inputs, convert_pt2e, torch.export; "
          "README.md has the lines");
}

Diag unseen(const Program& p, const Node& quantize) {
  const Quant& q = parameters(p, quantize);
  return p
      .error_at(quantize, "F8-0309",
                saw_nothing(q) ? "scale 1 and zero point 0, as of an observer that saw no data"
                               : "the least scale that an observer gives: it saw zeros only")
      .note(kCalibrate);
}

}  // namespace

Result<> check_quantization(Program& p, Context& context) {
  std::vector<const Node*> quantizes;
  for (const Node& node : p.nodes)
    if (quantizes_activation(p, context.core, node)) quantizes.push_back(&node);
  const bool unread = std::ranges::any_of(p.nodes, is_unread);  // which may quantize, at run time for one
  if (quantizes.empty()) return unread ? Result<>(ok) : none_quantized(p, context.core);

  // A program that was written by hand states its scales on purpose.
  const bool exported = std::ranges::any_of(p.nodes, [](const Node& n) { return !n.places.empty(); });
  const bool weighted = std::ranges::any_of(p.nodes, [](const Node& n) { return n.op->quant.weights.has_value(); });
  if (!exported || !weighted || quantizes.size() < 2) return ok;
  const auto all = [&](bool (*is)(const Quant&)) {
    return std::ranges::all_of(quantizes, [&](const Node* node) { return is(parameters(p, *node)); });
  };
  if (all(saw_nothing))
    return error("F8-0309",
                 fmt::format("the model was not calibrated: all {} activations have scale 1 and zero point 0, "
                             "as of observers that saw no data",
                             quantizes.size()))
        .in(p.file)
        .note(kCalibrate);
  if (all(saw_zeros))
    return error("F8-0309", fmt::format("the model was calibrated with zeros: all {} activations have the least scale "
                                        "that an observer gives",
                                        quantizes.size()))
        .in(p.file)
        .note(kCalibrate);
  for (const Node* node : quantizes) {
    if (!saw_nothing(parameters(p, *node)) && !saw_zeros(parameters(p, *node))) continue;
    Diag warning = unseen(p, *node);
    warning.severity = Severity::warning;
    context.reports.push_back(std::move(warning));
  }
  return ok;
}

}  // namespace fold8::passes
