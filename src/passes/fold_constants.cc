// Does ahead of time what depends on constants only: quantization of a constant, and data movement of one, also through
// its dequantize: move(dequantize(w)) becomes dequantize(move(w)), the channel axis of the scales moving along.
#include <algorithm>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

std::shared_ptr<Tensor> evaluate(const Program& p, const Node& node) {
  const Type& type = p.type(node.outputs[0]);
  auto result = std::make_shared<Tensor>(type.elem, type.shape);
  Evaluation e{p, node, {}, {result.get()}};
  for (ValueId id : node.inputs) e.in.push_back(id == ValueId::none ? nullptr : p[id].constant.get());
  node.op->evaluate(e);
  return result;
}

// Where the mover sends `axis` of its operand, found by moving a tensor of coordinates; nullopt if it does not stay one
// axis.
std::optional<int> moved_axis(const Program& p, const Node& mover, int axis) {
  const Shape& from = p.type(mover.inputs[0]).shape;
  const Shape& to = p.type(mover.outputs[0]).shape;
  Program probe;
  std::vector<int32_t> coordinates(static_cast<size_t>(elem_count(from)));
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < from.size(); ++i) inner *= from[i];
  const int64_t size = from[static_cast<size_t>(axis)];
  for (size_t i = 0; i < coordinates.size(); ++i)
    coordinates[i] = static_cast<int32_t>(static_cast<int64_t>(i) / inner % size);
  Node node = mover;
  node.inputs = {probe.add_constant("x", {Elem::i32, from, {}}, make_tensor(Elem::i32, from, coordinates))};
  node.outputs = {probe.add_value("y", {Elem::i32, to, {}})};
  const auto moved = evaluate(probe, node);
  const auto y = moved->as<int32_t>();
  for (size_t candidate = 0; candidate < to.size(); ++candidate) {
    if (to[candidate] != size) continue;
    int64_t below = 1;
    for (size_t i = candidate + 1; i < to.size(); ++i) below *= to[i];
    bool fits = true;
    for (size_t i = 0; fits && i < y.size(); ++i) fits = y[i] == static_cast<int64_t>(i) / below % size;
    if (fits) return static_cast<int>(candidate);
  }
  return std::nullopt;
}

// node = move(dequantize(constant)): moves the constant and leaves a dequantize in the mover's place.
bool sink_into_constant(Program& p, const CoreOps& core, Node& mover) {
  const Node* dequantize = p.producer(mover.inputs[0]);
  if (dequantize == nullptr || dequantize->op != core.dequantize || !p[dequantize->inputs[0]].is_constant())
    return false;
  const Value source = p[dequantize->inputs[0]];
  Quant quant = *source.type.quant;
  if (!quant.is_per_tensor()) {
    const auto axis = moved_axis(p, mover, quant.axis);
    if (!axis) return false;
    quant.axis = *axis;
  }
  Node move = mover;
  const Type moved_type{source.type.elem, p.type(mover.outputs[0]).shape, quant};
  move.inputs = {dequantize->inputs[0]};
  move.outputs = {p.add_value(source.name, moved_type)};
  p[move.outputs[0]].constant = evaluate(p, move);
  mover.op = dequantize->op;
  mover.attrs = {};
  mover.inputs = move.outputs;
  return true;
}

}  // namespace

Result<> fold_constants(Program& p, Context& context) {
  for (Node& node : p.nodes) {
    const bool mover = node.op->quant.moves() && node.outputs.size() == 1;
    if (!mover && node.op != context.core.quantize) continue;
    const bool constant =
        std::ranges::all_of(node.inputs, [&](ValueId id) { return id != ValueId::none && p[id].is_constant(); });
    if (constant) {
      p[node.outputs[0]].constant = evaluate(p, node);
    } else if (mover && node.inputs.size() == 1) {
      sink_into_constant(p, context.core, node);
    }
  }
  p.erase_nodes([&](const Node& node) { return p[node.outputs[0]].is_constant(); });
  return ok;
}

}  // namespace fold8::passes
