#include "ir/unread.h"

namespace fold8::ir {
namespace {

Result<std::vector<Type>> as_stated(const Program& p, const Node& node) {
  std::vector<Type> types;
  for (ValueId id : node.outputs) types.push_back(p.type(id));
  return types;
}

}  // namespace

const OpDef kUnread = {.name = "unread", .infer = as_stated};

}  // namespace fold8::ir
