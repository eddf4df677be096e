// Where an op needs its result to share its operand's parameters and the quantizer chose others, requantizes the operand
// first. Exact: quantization is monotone and the op moves or selects elements. Reported, for it costs a pass over the data.
#include <fmt/format.h>

#include "passes/passes.h"

namespace fold8::passes {

using namespace ir;

Result<> align_qparams(Program& p, Context& context) {
  const OpDef* requantize = nullptr;
  for (const OpDef* op : context.ops)
    if (op->has(trait::is_requantize)) requantize = op;
  require(requantize != nullptr, "the table has a requantize");
  for (size_t i = 0; i < p.nodes.size(); ++i) {
    if (!p.nodes[i].op->has(trait::shares_parameters)) continue;
    const ValueId x = p.nodes[i].inputs[0];
    const Type& y = p.type(p.nodes[i].outputs[0]);
    if (p.type(x).quant == y.quant) continue;
    const Type aligned{Elem::i8, p.type(x).shape, y.quant};
    Node node{requantize, p.nodes[i].name + ".requantize", {x}, {p.add_value(p[x].name + ".requantized", aligned)}, {}, p.nodes[i].places};
    F8_CHECK(node.op->integerize(p, node));
    Diag report = p.error_at(p.nodes[i], "F8-0305", fmt::format("%{} is rescaled first: the quantizer gave operand and result different parameters", p[x].name));
    report.severity = Severity::note;
    context.reports.push_back(std::move(report));
    p.nodes[i].inputs[0] = node.outputs[0];
    p.nodes.insert(p.nodes.begin() + static_cast<ptrdiff_t>(i), std::move(node));
    ++i;
  }
  return ok;
}

}  // namespace fold8::passes
