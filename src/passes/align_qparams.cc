// Where an op needs its result to share its operands' parameters and the quantizer chose others, requantizes the
// operands first. Exact: quantization is monotone and the op moves or selects elements. Reported, for it costs a pass
// over the data.
#include <fmt/format.h>

#include <algorithm>

#include "passes/passes.h"

namespace fold8::passes {

using namespace ir;

namespace {

// x under the parameters `quant`, by a node of its own before nodes[at].
Result<ValueId> requantized(Program& p, Context& context, size_t at, ValueId x, const Quant& quant) {
  const OpDef& requantize = *context.core.requantize;
  const Node reader = p.nodes[at];
  const ValueId y = p.add_value(p[x].name + ".requantized", {Elem::i8, p.type(x).shape, quant});
  Node node{&requantize, reader.name + ".requantize", {x}, {y}, {}, reader.places};
  F8_CHECK(requantize.integerize(p, node));
  Diag report = p.error_at(
      reader, "F8-0305",
      fmt::format("%{} is rescaled first: the quantizer gave operand and result different parameters", p[x].name));
  report.severity = Severity::note;
  context.reports.push_back(std::move(report));
  p.nodes.insert(at, std::move(node));
  return y;
}

}  // namespace

Result<> align_qparams(Program& p, Context& context) {
  for (size_t i = 0; i < p.nodes.size(); ++i) {
    if (!p.nodes[i].op->quant.shares()) continue;
    const Quant quant = *p.type(p.nodes[i].outputs[0]).quant;
    const std::vector<ValueId> operands = p.nodes[i].inputs;
    for (ValueId x : operands) {
      const bool still_read = std::ranges::count(p.nodes[i].inputs, x) != 0;  // an operand named twice is rescaled once
      if (x == ValueId::none || !still_read || p.type(x).quant == quant) continue;
      F8_TRY(const ValueId y, requantized(p, context, i, x, quant));
      ++i;
      p.nodes[i].inputs.replace(x, y);
    }
  }
  return ok;
}

}  // namespace fold8::passes
