#include "ops/channels.h"

#include <algorithm>

#include "ops/accumulate.h"

namespace fold8::ops {
namespace {

using namespace ir;
using Kept = std::vector<int64_t>;

// The weight as [outs][group_ins][taps].
struct Weights {
  std::span<const int8_t> data;
  int64_t outs, group_ins, taps, groups;

  int64_t ins() const { return group_ins * groups; }
  int64_t group_outs() const { return outs / groups; }
  int8_t at(int64_t o, int64_t i, int64_t tap) const {
    return data[static_cast<size_t>((o * group_ins + i) * taps + tap)];
  }
};

Weights weights(const Program& p, const Node& node) {
  const Value& w = p[node.inputs[1]];
  Weights result{w.constant->as<int8_t>(), w.type.shape[0], w.type.shape[1], 1, 1};
  for (size_t i = 2; i < w.type.shape.size(); ++i) result.taps *= w.type.shape[i];
  if (node.attrs.has("groups")) result.groups = node.attrs.integer("groups");
  return result;
}

bool pads(const Node& node) {
  return node.attrs.has("pad") && std::ranges::any_of(node.attrs.integers("pad"), [](int64_t n) { return n != 0; });
}

int64_t bias(const Program& p, const Node& node, int64_t o) {
  return has_input(node, 2) ? p[node.inputs[2]].constant->as<int32_t>()[static_cast<size_t>(o)] : 0;
}

bool channelwise(const Program& p, const Node& node) {
  const Weights w = weights(p, node);
  return w.groups > 1 && w.group_ins == 1 && w.outs == w.groups;
}

// acc = b + sum (x - zx) * w, each tap on its own within its channel's bounds; a padded tap adds 0.
std::vector<Range> results(const Program& p, const Node& node, const std::vector<Range>& x) {
  const Weights w = weights(p, node);
  const std::vector<quant::Rescale> scale = rescales(p, node);
  const int64_t zx = p.type(node.inputs[0]).quant->zero;
  const int64_t zy = p.type(node.outputs[0]).quant->zero;
  const Bounds bounds = clamp_bounds(node);
  std::vector<Range> ranges;
  for (int64_t o = 0; o < w.outs; ++o) {
    int64_t lo = bias(p, node, o);
    int64_t hi = lo;
    for (int64_t i = 0; i < w.group_ins; ++i) {
      const Range& r = x[static_cast<size_t>(o / w.group_outs() * w.group_ins + i)];
      const int64_t least = pads(node) ? std::min<int64_t>(r.lo - zx, 0) : r.lo - zx;
      const int64_t most = pads(node) ? std::max<int64_t>(r.hi - zx, 0) : r.hi - zx;
      for (int64_t t = 0; t < w.taps; ++t) {
        const int64_t weight = w.at(o, i, t);
        lo += weight * (weight > 0 ? least : most);
        hi += weight * (weight > 0 ? most : least);
      }
    }
    const quant::Rescale r = scale[scale.size() == 1 ? 0 : static_cast<size_t>(o)];
    const auto result = [&](int64_t acc) {
      return quant::clamp(zy + quant::apply(r, static_cast<int32_t>(acc)), bounds.lo, bounds.hi);
    };
    ranges.push_back({result(lo), result(hi)});
  }
  return ranges;
}

std::vector<bool> needs(const Program& p, const Node& node) {
  const Weights w = weights(p, node);
  std::vector<bool> needed(static_cast<size_t>(w.ins()));
  for (int64_t o = 0; o < w.outs; ++o)
    for (int64_t i = 0; i < w.group_ins; ++i)
      for (int64_t t = 0; t < w.taps; ++t)
        if (w.at(o, i, t) != 0) needed[static_cast<size_t>(o / w.group_outs() * w.group_ins + i)] = true;
  return needed;
}

// At a padded border the taps see the zero point, not the constant; in other grouped ops channels are not dropped.
bool folds(const Program& p, const Node& node, int8_t value) {
  return !pads(node) || value == p.type(node.inputs[0]).quant->zero;
}

Quant kept_scales(const Quant& q, const Kept& outs) {
  if (q.is_per_tensor()) return q;
  Quant result{{}, q.zero, q.axis};
  for (int64_t o : outs) result.scales.push_back(q.scales[static_cast<size_t>(o)]);
  return result;
}

std::vector<int32_t> kept_bias(const Program& p, const Node& node, const Kept& outs,
                               const std::vector<std::optional<int8_t>>& constants) {
  const Weights w = weights(p, node);
  const int64_t zx = p.type(node.inputs[0]).quant->zero;
  std::vector<int32_t> result;
  for (int64_t o : outs) {
    int64_t sum = bias(p, node, o);
    for (size_t c = 0; c < constants.size(); ++c)
      for (int64_t t = 0; constants[c] && t < w.taps; ++t)
        sum += (*constants[c] - zx) * w.at(o, static_cast<int64_t>(c), t);
    result.push_back(static_cast<int32_t>(sum));  // fits: integerize_weighted bounded it for every x
  }
  return result;
}

// `constants`: for dropped operand channels only, nullopt elsewhere.
void keep(Program& p, Node& node, const Kept& ins, const Kept& outs,
          const std::vector<std::optional<int8_t>>& constants) {
  const Weights w = weights(p, node);
  const bool depthwise = channelwise(p, node);
  const Type weight_type = p.type(node.inputs[1]);
  const std::vector<int32_t> sums =
      kept_bias(p, node, outs, depthwise ? std::vector<std::optional<int8_t>>{} : constants);
  std::vector<int8_t> data;
  for (int64_t o : outs)
    for (int64_t i : depthwise ? Kept{0} : ins)
      for (int64_t t = 0; t < w.taps; ++t) data.push_back(w.at(o, i, t));

  Type type = weight_type;
  type.shape[0] = static_cast<int64_t>(outs.size());
  if (!depthwise) type.shape[1] = static_cast<int64_t>(ins.size());
  type.quant = kept_scales(*type.quant, outs);
  Quant bias_quant{{}, 0, type.quant->axis};
  for (double sw : type.quant->scales) bias_quant.scales.push_back(sw * p.type(node.inputs[0]).quant->scale());
  const Shape bias_shape = {type.shape[0]};
  const std::string weight_name = p[node.inputs[1]].name;
  node.inputs.resize(3);
  node.inputs.set(1, p.add_constant(weight_name, type, make_tensor(Elem::i8, type.shape, data)));
  node.inputs.set(2, p.add_constant(node.name + ".bias", {Elem::i32, bias_shape, bias_quant},
                                    make_tensor(Elem::i32, bias_shape, sums)));
  if (depthwise) node.attrs.set("groups", type.shape[0]);
}

}  // namespace

const ChannelHooks kWeightedChannels = {channelwise, results, needs, folds, keep};

}  // namespace fold8::ops
