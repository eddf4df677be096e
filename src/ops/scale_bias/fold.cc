// y = gain * (W x + b) + shift = (gain W) x + (gain b + shift), a gain and a shift for each output channel;
// y = W (gain * x + shift) + b = (gain W) x + (b + W shift), one gain, a shift for each input channel, and no padding:
// a padded 0 would become the shift's. Quantized weights keep their integers, but for their sign; the gain goes into
// their scales, exactly.
#include "ops/scale_bias/fold.h"

#include <algorithm>

#include "ops/constants.h"
#include "ops/gain_shift.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_dequantize;
extern const OpDef op_reshape;

namespace {

// The channel axis of what a weighted op reads and makes, here of rank `rank`.
size_t channel_axis(const Node& weighted, size_t rank) {
  return weighted.op->has(trait::channels_last) ? 1 : rank - 1;
}

// One line for each channel of `shape`; nullopt where they differ along another dimension, or add one.
std::optional<std::vector<GainShift>> by_channel(const Coefficients& c, const Shape& shape, size_t axis) {
  if (c.shape.size() > shape.size()) return std::nullopt;
  const size_t missing = shape.size() - c.shape.size();
  for (size_t i = 0; i < c.shape.size(); ++i)
    if (c.shape[i] != 1 && i + missing != axis) return std::nullopt;
  std::vector<GainShift> lines = c.at;
  if (lines.size() == 1) lines.resize(static_cast<size_t>(shape[axis]), lines[0]);
  return lines;
}

// The constant behind an operand, through its dequantize; null if it is computed at run time.
const Value* constant_behind(const Program& p, ValueId id) {
  if (p[id].is_constant()) return &p[id];
  const Node* source = p.producer(id);
  const bool quantized = source != nullptr && source->op == &op_dequantize && p[source->inputs[0]].is_constant();
  return quantized ? &p[source->inputs[0]] : nullptr;
}

// A linear or convolution whose weight and bias are constants, as the folds take them.
struct Weighted {
  Node* node;
  Value weight;              // float, or int8 with zero point 0, per tensor or per output channel
  std::vector<double> bias;  // zeros where there is none

  size_t outs() const { return bias.size(); }
  size_t row() const { return outs() == 0 ? 1 : static_cast<size_t>(weight.type.elems()) / outs(); }
};

std::optional<Weighted> weighted(const Program& p, Node& node) {
  const Value* w = constant_behind(p, node.inputs[1]);
  if (w == nullptr) return std::nullopt;
  const bool symmetric = w->type.is_q8() && w->type.quant->zero == 0 && w->type.quant->axis <= 0;
  if (w->type.elem != Elem::f32 && !symmetric) return std::nullopt;
  std::vector<double> bias(static_cast<size_t>(w->type.shape[0]));
  if (has_input(node, 2)) {
    const Value* b = constant_behind(p, node.inputs[2]);
    const auto reals = b == nullptr ? std::nullopt : real_values(*b);
    if (!reals) return std::nullopt;
    bias = *reals;
  }
  return Weighted{&node, *w, bias};
}

ValueId scaled_floats(Program& p, const Weighted& w, const std::vector<double>& gain) {
  std::vector<float> data;
  const auto old = w.weight.constant->as<float>();
  for (size_t i = 0; i < old.size(); ++i)
    data.push_back(static_cast<float>(double{old[i]} * gain[i / w.row()]));
  return p.add_constant(w.weight.name, w.weight.type, make_tensor(Elem::f32, w.weight.type.shape, data));
}

// Scales become one for each output channel.
Result<ValueId> scaled_integers(Program& p, const Node& node, const Weighted& w, const std::vector<double>& gain) {
  const Quant& q = *w.weight.type.quant;
  Type type = w.weight.type;
  type.quant = Quant{{}, 0, 0};
  std::vector<int> signs;
  for (size_t o = 0; o < gain.size(); ++o) {
    const double scale = q.scales[q.is_per_tensor() ? 0 : o];
    const bool dead = scale * std::abs(gain[o]) < 0x1p-140;  // no usable scale, and no product that would show
    type.quant->scales.push_back(dead ? scale : scale * std::abs(gain[o]));
    signs.push_back(dead ? 0 : gain[o] < 0 ? -1 : 1);
  }
  std::vector<int8_t> data;
  const auto old = w.weight.constant->as<int8_t>();
  for (size_t i = 0; i < old.size(); ++i) {
    const size_t o = i / w.row();
    if (signs[o] < 0 && old[i] == -128)
      return not_integer(p, node,
                         fmt::format("channel {} has gain {} and weight %{} a -128 in it, whose negative is no int8", o,
                                     gain[o], w.weight.name));
    data.push_back(static_cast<int8_t>(signs[o] * old[i]));
  }
  return p.add_constant(w.weight.name, type, make_tensor(Elem::i8, type.shape, data));
}

// Gives the op its new weight, rows times `gain`, and bias; `node`, whose places it takes over, goes.
Result<bool> replace(Program& p, const Node& node, const Weighted& w, const std::vector<double>& gain,
                     const std::vector<double>& bias) {
  for (size_t o = 0; o < gain.size(); ++o)
    if (!std::isfinite(gain[o]) || !std::isfinite(bias[o]))
      return not_integer(p, node, fmt::format("channel {} has a gain or a bias that is not finite", o));
  const ValueId x = node.inputs[0];
  const ValueId y = node.outputs[0];
  Node& op = *w.node;
  op.inputs.resize(3);
  op.inputs.set(2, p.add_constant(
                       op.name + ".bias", f32({w.weight.type.shape[0]}),
                       make_tensor(Elem::f32, {w.weight.type.shape[0]}, std::vector<float>(bias.begin(), bias.end()))));
  op.places.insert(op.places.end(), node.places.begin(), node.places.end());
  if (w.weight.type.elem == Elem::f32) {
    op.inputs.set(1, scaled_floats(p, w, gain));
  } else {
    F8_TRY(const ValueId weight, scaled_integers(p, node, w, gain));
    Node dequantize = *p.producer(op.inputs[1]);
    dequantize.inputs = {weight};
    dequantize.outputs = {p.add_value(p[op.inputs[1]].name, f32(w.weight.type.shape))};
    op.inputs.set(1, dequantize.outputs[0]);
    p.nodes.insert(p.nodes.index_of(op), std::move(dequantize));
  }
  p.replace_uses(y, x);
  p.nodes.erase(node);
  return true;
}

// The linear or convolution before the node, through reshapes that keep batch and channels; null if there is none.
Node* weighted_before(Program& p, const Node& node) {
  ValueId x = node.inputs[0];
  for (const Node* reader = &node;;) {
    Node* above = p.producer(x);
    if (above == nullptr || p.sole_user(x) != reader) return nullptr;
    if (above->op->quant.weights) return above->attrs.has("min") || above->attrs.has("layout") ? nullptr : above;
    const Shape& shape = p.type(x).shape;
    const Shape& from = p.type(above->inputs[0]).shape;
    if (above->op != &op_reshape || from.size() < 2 || shape.size() < 2 || from[0] != shape[0] ||
        from[1] != shape[1])
      return nullptr;
    reader = above;
    x = above->inputs[0];
  }
}

bool pads(const Node& node) {
  return node.attrs.has("pad") && std::ranges::any_of(node.attrs.integers("pad"), [](int64_t n) { return n != 0; });
}

// W shift: what a row of the weights, [outs][ins of its group][taps], makes of a shift for each input channel.
std::vector<double> shifted(const Weighted& w, const std::vector<GainShift>& lines) {
  const std::vector<double> reals = *real_values(w.weight);
  const auto ins = static_cast<size_t>(w.weight.type.shape[1]);
  const size_t taps = ins == 0 ? 1 : w.row() / ins;
  const size_t groups = ins == 0 ? 1 : lines.size() / ins;
  std::vector<double> sums(w.outs());
  for (size_t i = 0; i < reals.size(); ++i) {
    const size_t o = i / w.row();
    const size_t in = i % w.row() / taps + o / (w.outs() / groups) * ins;
    sums[o] += reals[i] * lines[in].shift;
  }
  return sums;
}

}  // namespace

Result<bool> fold_into_weights_before(Program& p, Node& node) {
  Node* before = weighted_before(p, node);
  if (before == nullptr) return false;
  const Shape& shape = p.type(node.inputs[0]).shape;
  const bool through_views = p.producer(node.inputs[0]) != before;
  const size_t axis = channel_axis(*before, shape.size());
  if (through_views && axis != 1) return false;  // reshapes keep the first two dimensions
  const Coefficients c = coefficients(p, node);
  const auto lines = by_channel(c, shape, axis);
  const auto w = weighted(p, *before);
  if (!lines || !w || p.type(node.outputs[0]).shape != shape) return false;
  std::vector<double> gain, bias;
  for (size_t o = 0; o < w->outs(); ++o) {
    gain.push_back((*lines)[o].gain);
    bias.push_back(w->bias[o] * gain[o] + (*lines)[o].shift);
  }
  return replace(p, node, *w, gain, bias);
}

Result<bool> fold_into_weights_after(Program& p, Node& node) {
  Node* after = p.sole_user(node.outputs[0]);
  if (after == nullptr || !after->op->quant.weights || after->inputs[0] != node.outputs[0] ||
      node.attrs.has("min") || p.type(node.outputs[0]).shape != p.type(node.inputs[0]).shape)
    return false;
  const Shape& shape = p.type(node.inputs[0]).shape;
  const auto lines = by_channel(coefficients(p, node), shape, channel_axis(*after, shape.size()));
  const auto w = weighted(p, *after);
  if (!lines || !w || lines->empty() || w->outs() == 0) return false;
  const double gain = lines->front().gain;
  const auto differs = [&](const GainShift& line) { return line.gain != gain; };
  const auto moves = [](const GainShift& line) { return line.shift != 0; };
  if (std::ranges::any_of(*lines, differs) || (pads(*after) && std::ranges::any_of(*lines, moves))) return false;
  std::vector<double> bias = shifted(*w, *lines);
  for (size_t o = 0; o < bias.size(); ++o) bias[o] += w->bias[o];
  return replace(p, node, *w, std::vector<double>(w->outs(), gain), bias);
}

}  // namespace fold8::ops
