// Joins two requantizes in a row into one where that is exact: the one must give the two's result for each of the 256
// values that an int8 can have, which is tried.
#include <algorithm>

#include "passes/passes.h"
#include "quant/rescale.h"

namespace fold8::passes {
namespace {

using namespace ir;

// The node's result for every int8 in `x`, as a function of one value.
std::vector<int8_t> apply(const Node& node, const Quant& from, const Quant& to, const std::vector<int8_t>& x) {
  Program probe;
  probe.form = Form::int8;
  const Shape shape = {static_cast<int64_t>(x.size())};
  Node copy = node;
  copy.inputs = {probe.add_constant("x", {Elem::i8, shape, from}, make_tensor(Elem::i8, shape, x))};
  copy.outputs = {probe.add_value("y", {Elem::i8, shape, to})};
  Tensor y(Elem::i8, shape);
  copy.op->evaluate({probe, copy, {probe[copy.inputs[0]].constant.get()}, {&y}});
  const auto data = y.as<int8_t>();
  return {data.begin(), data.end()};
}

bool merge(Program& p, Node& second) {
  const Node* first = p.producer(second.inputs[0]);
  if (first == nullptr || first->op != second.op || p.sole_user(second.inputs[0]) == nullptr)
    return false;
  const Quant& from = *p.type(first->inputs[0]).quant;
  const Quant& middle = *p.type(second.inputs[0]).quant;
  const Quant& to = *p.type(second.outputs[0]).quant;
  std::vector<int8_t> every;
  for (int x = -128; x <= 127; ++x) every.push_back(static_cast<int8_t>(x));
  const std::vector<int8_t> both = apply(second, middle, to, apply(*first, from, middle, every));
  if (!quant::make_rescale(from.scale() / to.scale()) || apply(second, from, to, every) != both) return false;
  second.inputs.set(0, first->inputs[0]);
  second.places.insert(second.places.begin(), first->places.begin(), first->places.end());
  return true;
}

}  // namespace

Result<> merge_requantizes(Program& p, Context& context) {
  for (Node& node : p.nodes)
    if (node.op == context.core.requantize) merge(p, node);
  return drop_dead(p, context);
}

}  // namespace fold8::passes
