// Runs each op's own rewrites until none changes anything: what an op knows of its neighbourhood stays with the op.
#include "passes/passes.h"

namespace fold8::passes {

Result<> simplify(ir::Program& program, Context& context) {
  Diags errors;  // of the last sweep
  for (bool changed = true; changed;) {
    changed = false;
    errors.clear();
    for (size_t i = 0; i < program.nodes.size(); ++i) {  // by index: a rewrite may insert nodes
      ir::Node& node = program.nodes[i];
      if (node.op->simplify == nullptr) continue;
      auto rewrote = node.op->simplify(program, node);
      if (!rewrote) errors.insert(errors.end(), rewrote.errors().begin(), rewrote.errors().end());
      changed = changed || (rewrote && *rewrote);
    }
  }
  if (!errors.empty()) return errors;
  return drop_dead(program, context);
}

}  // namespace fold8::passes
