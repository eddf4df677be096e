// Removes nodes whose results nothing needs. Program inputs stay: they are the caller's interface.
#include <set>

#include "passes/passes.h"

namespace fold8::passes {

Result<> drop_dead(ir::Program& program, Context&) {
  std::set<ir::ValueId> needed(program.outputs.begin(), program.outputs.end());
  for (size_t i = program.nodes.size(); i-- > 0;) {
    const ir::Node& node = program.nodes[i];
    const bool live =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId id) { return needed.contains(id); });
    if (live) needed.insert(node.inputs.begin(), node.inputs.end());
  }
  program.erase_nodes([&](const ir::Node& node) {
    return std::none_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId id) { return needed.contains(id); });
  });
  program.compact();
  return ok;
}

}  // namespace fold8::passes
