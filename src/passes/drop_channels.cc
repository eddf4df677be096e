// Drops channels whose value is known or unread, exactly.
//   constant: the accumulator's proven range never leaves one side of the clamp, or the weights are all zero;
//   unread:   every weight that would read the channel is zero.
// A channel runs through everything that treats channels apart (depthwise, pools, elementwise ops): those values form a
// group, and a channel goes from the whole group or not at all. Its constant goes into the biases of the ops behind the
// group, and so into their kernel_sum; where padding would make its contribution depend on the position, it stays.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;
using Constants = std::vector<std::optional<int8_t>>;  // of each channel of a value

size_t channels_of(const Program& p, ValueId id) {
  const Shape& shape = p.type(id).shape;
  return shape.empty() ? 0 : static_cast<size_t>(shape.back());
}

class Dropper {
 public:
  Dropper(Program& p, const CoreOps& core) : p_(p), core_(core), constants_(p.values.size()), group_(p.values.size()) {
    for (ValueId id : p_.values.keys()) group_[id] = id;
  }

  // Whether anything was dropped.
  bool run() {
    find_constants();
    find_groups();
    choose();
    if (kept_.empty()) return false;
    apply();
    return true;
  }

 private:
  // ---- what is constant

  bool activation(ValueId id) const { return id != ValueId::none && !p_[id].is_constant(); }
  Constants& constants(ValueId id) { return constants_[id]; }

  bool channelwise(const Node& node) const {
    if (node.outputs.size() != 1) return false;
    if (node.op->channels != nullptr) return node.op->channels->channelwise(p_, node);
    if (!node.op->has(trait::channelwise) && !node.op->access.elementwise && node.op != core_.reshape) return false;
    const size_t channels = channels_of(p_, node.outputs[0]);
    return channels > 0 && std::ranges::all_of(node.inputs, [&](ValueId id) {
             return !activation(id) || channels_of(p_, id) == channels;
           });
  }

  void find_constants() {
    for (ValueId id : p_.values.keys()) constants_[id].resize(channels_of(p_, id));
    for (const Node& node : p_.nodes) {
      if (node.op->channels != nullptr && !node.op->channels->channelwise(p_, node)) {
        constants_by_range(node);
      } else if (channelwise(node)) {
        if (node.op->channels != nullptr) constants_by_range(node);
        constants_by_probe(node);
      }
    }
  }

  void constants_by_range(const Node& node) {
    std::vector<Range> x;
    for (const auto& c : constants(node.inputs[0])) x.push_back(c ? Range{*c, *c} : Range{});
    const std::vector<Range> y = node.op->channels->results(p_, node, x);
    for (size_t c = 0; c < y.size(); ++c)
      if (y[c].lo == y[c].hi) constants(node.outputs[0])[c] = static_cast<int8_t>(y[c].lo);
  }

  // Runs the node on operands that hold the constants (anything elsewhere): what then is the same everywhere in a
  // channel whose operands are constant, is its constant. Borders are part of the run.
  void constants_by_probe(const Node& node) {
    const auto known = [&](size_t c) {
      return std::ranges::all_of(node.inputs,
                                 [&](ValueId id) { return !activation(id) || constants(id)[c].has_value(); });
    };
    const size_t channels = channels_of(p_, node.outputs[0]);
    bool any = false;
    for (size_t c = 0; c < channels; ++c) any = any || known(c);
    const Type& type = p_.type(node.outputs[0]);
    if (!any || type.elem != Elem::i8) return;
    std::vector<Tensor> operands(node.inputs.size());
    Evaluation e{p_, node, {}, {}};
    for (size_t i = 0; i < node.inputs.size(); ++i) e.in.push_back(probe_operand(node.inputs[i], operands[i]));
    Tensor y(type.elem, type.shape);
    e.out.push_back(&y);
    node.op->evaluate(e);
    const auto data = y.as<int8_t>();
    for (size_t c = 0; c < channels; ++c) {
      bool same = known(c);
      for (size_t i = c; same && i < data.size(); i += channels) same = data[i] == data[c];
      if (same) constants(node.outputs[0])[c] = data[c];
    }
  }

  const Tensor* probe_operand(ValueId id, Tensor& storage) {
    if (id == ValueId::none) return nullptr;
    if (p_[id].is_constant()) return p_[id].constant.get();
    storage = Tensor(p_.type(id).elem, p_.type(id).shape);
    const auto data = storage.as<int8_t>();
    const Constants& known = constants(id);
    for (size_t i = 0; i < data.size(); ++i) data[i] = known[i % known.size()].value_or(0);
    return &storage;
  }

  // ---- what goes together

  ValueId find(ValueId id) const {
    while (group_[id] != id) id = group_[id];
    return id;
  }

  void find_groups() {
    for (const Node& node : p_.nodes) {
      if (!channelwise(node)) continue;
      for (ValueId id : node.inputs)
        if (activation(id)) group_[find(id)] = find(node.outputs[0]);
    }
  }

  // ---- what goes

  void choose() {
    std::map<ValueId, std::vector<bool>> droppable;
    for (const Node& node : p_.nodes)
      if (node.op->channels != nullptr && !channelwise(node))
        droppable[find(node.outputs[0])].assign(channels_of(p_, node.outputs[0]), true);
    const auto forbid = [&](ValueId id) { droppable.erase(find(id)); };
    for (ValueId id : p_.inputs) forbid(id);
    for (ValueId id : p_.outputs) forbid(id);
    for (const Node& node : p_.nodes) {
      if (channelwise(node)) continue;
      if (node.op->channels != nullptr) {
        if (grouped(node)) forbid(node.outputs[0]);  // each group has as many
        restrict_by(node, droppable);
      } else {
        for (ValueId id : node.inputs)
          if (activation(id)) forbid(id);
        for (ValueId id : node.outputs) forbid(id);
      }
    }
    for (auto& [group, drop] : droppable) {
      std::vector<int64_t> kept;
      for (size_t c = 0; c < drop.size(); ++c)
        if (!drop[c]) kept.push_back(static_cast<int64_t>(c));
      if (kept.empty()) kept.push_back(0);  // a tensor keeps at least one channel
      if (kept.size() < drop.size()) kept_[group] = std::move(kept);
    }
  }

  static bool grouped(const Node& node) { return node.attrs.has("groups") && node.attrs.integer("groups") != 1; }

  // A reader behind the group must not need the channel, or be able to fold its constant.
  void restrict_by(const Node& node, std::map<ValueId, std::vector<bool>>& droppable) {
    const auto found = droppable.find(find(node.inputs[0]));
    if (found == droppable.end()) return;
    if (grouped(node)) {
      droppable.erase(found);
      return;
    }
    const std::vector<bool> needed = node.op->channels->needs(p_, node);
    for (size_t c = 0; c < needed.size(); ++c) {
      const auto& constant = constants(node.inputs[0])[c];
      if (needed[c] && !(constant && node.op->channels->folds(p_, node, *constant))) found->second[c] = false;
    }
  }

  // ---- dropping

  std::vector<int64_t> kept(ValueId id) const {
    if (const auto found = kept_.find(find(id)); found != kept_.end()) return found->second;
    std::vector<int64_t> all(channels_of(p_, id));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  bool touched(ValueId id) const { return kept_.contains(find(id)); }

  void apply() {
    for (Node& node : p_.nodes) {
      const bool out = node.outputs.size() == 1 && touched(node.outputs[0]);
      const bool in = !node.inputs.empty() && activation(node.inputs[0]) && touched(node.inputs[0]);
      if (!in && !out) continue;
      if (node.op->channels != nullptr) {
        node.op->channels->keep(p_, node, kept(node.inputs[0]), kept(node.outputs[0]),
                                dropped_constants(node.inputs[0]));
      } else {
        keep_in_operands(node);
      }
    }
    for (ValueId id : group_.keys())
      if (activation(id) && touched(id)) p_[id].type.shape.back() = static_cast<int64_t>(kept(id).size());
  }

  Constants dropped_constants(ValueId id) {
    Constants result = constants(id);
    for (int64_t c : kept(id)) result[static_cast<size_t>(c)].reset();
    return result;
  }

  // Elementwise ops and reshapes: constant operands of as many channels, and the shape attribute, follow.
  void keep_in_operands(Node& node) {
    const std::vector<int64_t> channels = kept(node.outputs[0]);
    const size_t before = channels_of(p_, node.outputs[0]);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == ValueId::none || !p_[id].is_constant() || channels_of(p_, id) != before || before == 1) continue;
      node.inputs.set(i, sliced(p_[id], channels));
    }
    if (node.op != core_.reshape) return;
    std::vector<int64_t> shape = node.attrs.integers("shape");
    shape.back() = static_cast<int64_t>(channels.size());
    node.attrs.set("shape", shape);
  }

  ValueId sliced(const Value source, const std::vector<int64_t>& channels) {
    const size_t width = elem_bytes(source.type.elem);
    const auto before = static_cast<size_t>(source.type.shape.back());
    Type type = source.type;
    type.shape.back() = static_cast<int64_t>(channels.size());
    auto data = std::make_shared<Tensor>(type.elem, type.shape);
    auto to = data->bytes.begin();
    for (size_t row = 0; row < source.constant->bytes.size() / (before * width); ++row)
      for (int64_t c : channels)
        to = std::copy_n(
            source.constant->bytes.begin() + static_cast<ptrdiff_t>((row * before + static_cast<size_t>(c)) * width),
            width, to);
    return p_.add_constant(source.name, type, data);
  }

  Program& p_;
  const CoreOps& core_;
  IndexedVector<ValueId, Constants> constants_;
  IndexedVector<ValueId, ValueId> group_;         // union-find over values
  std::map<ValueId, std::vector<int64_t>> kept_;  // of groups that lose channels
};

}  // namespace

Result<> drop_channels(Program& p, Context& context) {
  while (Dropper(p, context.core).run()) p.compact();
  return drop_dead(p, context);
}

}  // namespace fold8::passes
