// A node of an exported graph that could not be read: its results have the types that the graph states, and no meaning.
// It stands in programs that are refused, so that passes can say what else is wrong with them.
#pragma once

#include "ir/op.h"

namespace fold8::ir {

extern const OpDef kUnread;

inline bool is_unread(const Node& node) { return node.op == &kUnread; }

}  // namespace fold8::ir
