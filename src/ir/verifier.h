// Checks a program against the rules of its form. Runs after every pass, in release builds too.
#pragma once

#include "ir/op.h"
#include "ir/program.h"

namespace fold8::ir {

// All violations, each with its node. A violation after a pass is a bug of that pass; one in a parsed text is the
// author's. Rules: the table in verifier.cc.
Result<> verify(const Program& program);

}  // namespace fold8::ir
