// Runs each op's own rewrites until none changes anything: what an op knows of its neighbourhood stays with the op.
#include "passes/passes.h"

namespace fold8::passes {

Result<> simplify(ir::Program& program, Context& context) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < program.nodes.size(); ++i) {  // by index: a rewrite may insert nodes
      ir::Node& node = program.nodes[i];
      if (node.op->simplify == nullptr) continue;
      F8_TRY(const bool rewrote, node.op->simplify(program, node));
      changed = changed || rewrote;
    }
  }
  return drop_dead(program, context);
}

}  // namespace fold8::passes
