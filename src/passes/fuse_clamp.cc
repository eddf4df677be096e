// Folds clamp(op(x)) into op when op clamps for free, also across reshapes and permutes between the two (a conv1d is a
// conv2d and a reshape). Leaves clamps of values with several readers alone: the others want the value unclamped. In
// torch form the bounds are reals (attributes min, max of the producer); from int8 on they are integers (attribute
// clamp), and producer and clamp have equal parameters.
#include <algorithm>
#include <set>

#include "ir/infer.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

void tighten_reals(Node& op, const Node& clamp) {
  const double lo = clamp.attrs.number("min");
  const double hi = clamp.attrs.number("max");
  const double old_lo = op.attrs.has("min") ? op.attrs.number("min") : lo;
  const double old_hi = op.attrs.has("max") ? op.attrs.number("max") : hi;
  // The later clamp has the last word: min(max(y, lo), hi) of an interval that lies outside [lo, hi] is a bound of it.
  op.attrs.set("min", std::clamp(old_lo, lo, hi));
  op.attrs.set("max", std::clamp(old_hi, lo, hi));
}

void tighten_integers(Node& op, const Node& clamp) {
  const int64_t lo = clamp.attrs.integer("min");
  const int64_t hi = clamp.attrs.integer("max");
  const Bounds old = clamp_bounds(op);
  op.attrs.set("clamp", std::vector<int64_t>{std::clamp<int64_t>(old.lo, lo, hi), std::clamp<int64_t>(old.hi, lo, hi)});
}

// The op that can clamp in place of `clamp`, null if none.
Node* clamping_op(Program& p, const CoreOps& core, const Node& clamp) {
  const Node* reader = &clamp;
  for (;;) {
    const ValueId x = reader->inputs[0];
    Node* op = p.producer(x);
    if (op == nullptr || p.sole_user(x) != reader) return nullptr;
    if (op->op->has(trait::fuses_clamp)) return op;
    if (op->op != core.reshape && op->op != core.permute) return nullptr;
    reader = op;
  }
}

}  // namespace

Result<> fuse_clamp(Program& p, Context& context) {
  std::set<ValueId> absorbed;
  for (Node& clamp : p.nodes) {
    if (clamp.op != context.core.clamp) continue;
    Node* op = clamping_op(p, context.core, clamp);
    if (op == nullptr) continue;
    p.form == Form::torch ? tighten_reals(*op, clamp) : tighten_integers(*op, clamp);
    op->places.insert(op->places.end(), clamp.places.begin(), clamp.places.end());
    const ValueId x = clamp.inputs[0];
    p.producer(x)->outputs.replace(x, clamp.outputs[0]);
    clamp.outputs.set(0, x);  // nobody's: erased below
    absorbed.insert(x);
  }
  p.erase_nodes([&](const Node& node) {
    return node.op == context.core.clamp && absorbed.contains(node.outputs[0]);
  });
  return ok;
}

}  // namespace fold8::passes
