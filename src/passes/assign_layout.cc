// PyTorch's images are NCHW, the kernels' are NHWC. Every spatial op gets a permute before and after it; then permutes
// sink through the ops below them until they meet their inverse, vanish into the weights of a linear, or reach an
// output. What is left at an input is the caller's to do (--input-layout nhwc), or stays as the program's first node
// (nchw). Exact: only the order of elements changes.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;
using Dims = std::vector<int64_t>;

const Dims kToChannelsLast = {0, 2, 3, 1};
const Dims kFromChannelsLast = {0, 3, 1, 2};

// permute(permute(x, first), second) = permute(x, compose(first, second))
Dims compose(const Dims& first, const Dims& second) {
  Dims dims;
  for (int64_t d : second) dims.push_back(first[static_cast<size_t>(d)]);
  return dims;
}

Dims inverse(const Dims& dims) {
  Dims result(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) result[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  return result;
}

Shape permuted(const Shape& shape, const Dims& dims) {
  Shape result;
  for (int64_t d : dims) result.push_back(shape[static_cast<size_t>(d)]);
  return result;
}

// Whether the bytes keep their order: dimensions larger than 1 stay in sequence.
bool keeps_order(const Shape& shape, const Dims& dims) {
  int64_t last = -1;
  for (int64_t d : dims) {
    if (shape[static_cast<size_t>(d)] == 1) continue;
    if (d < last) return false;
    last = d;
  }
  return true;
}

class Layout {
 public:
  Layout(Program& p, const CoreOps& core) : p_(p), core_(core) {}

  void wrap_spatial_ops() {
    for (size_t i = 0; i < p_.nodes.size(); ++i) {
      if (!p_.nodes[i].op->has(trait::channels_last) || p_.nodes[i].attrs.has("layout")) continue;
      const ValueId x = insert_permute(i, p_.nodes[i].inputs[0], kToChannelsLast);
      Node& node = p_.nodes[++i];
      node.inputs.set(0, x);
      node.attrs.set("layout", std::string("nhwc"));
      permute_result(i++, 0, kFromChannelsLast);
    }
  }

  void settle() {
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < p_.nodes.size(); ++i)
        changed = simplify(i) || sink(i) || sink_through_view(i) || absorb(i) || changed;
    }
    erase_unread();
  }

  // Where input `x` is only ever read channels last, directly or through its quantize, the caller hands it over so.
  void hand_to_caller(ValueId x) {
    const std::vector<Node*> users = p_.users(x);
    const bool quantized = users.size() == 1 && users[0]->op == core_.quantize;
    const ValueId read = quantized ? users[0]->outputs[0] : x;
    if (!read_channels_last(read)) return;
    drop_permutes(read);
    if (quantized) p_[x].type.shape = permuted(p_[x].type.shape, kToChannelsLast);
    p_[x].order = kToChannelsLast;
  }

  void erase_unread() {
    for (size_t count = p_.nodes.size() + 1; p_.nodes.size() < count;) {
      count = p_.nodes.size();
      p_.erase_nodes([&](const Node& node) {
        return is_move(node) && !p_.is_needed(node.outputs[0]);
      });
    }
  }

 private:
  static const Dims& dims_of(const Node& node) { return node.attrs.integers("dims"); }

  Node permute_node(const Node& beside, ValueId x, ValueId y, const Dims& dims) const {
    Node node{core_.permute, beside.name + ".permute", {x}, {y}, {}, beside.places};
    node.attrs.set("dims", dims);
    return node;
  }

  // Inserts y = permute(x, dims) before nodes[at]; returns y.
  ValueId insert_permute(size_t at, ValueId x, const Dims& dims) {
    Type type = p_.type(x);
    type.shape = permuted(type.shape, dims);
    const ValueId y = p_.add_value(p_[x].name + ".permuted", type);
    p_.nodes.insert(at, permute_node(p_.nodes[at], x, y, dims));
    return y;
  }

  // nodes[at] now gives a result of which the old one is a permute by `dims`: inserts that permute after it.
  void permute_result(size_t at, size_t result, const Dims& dims) {
    const ValueId old = p_.nodes[at].outputs[result];
    Type type = p_.type(old);
    type.shape = permuted(type.shape, inverse(dims));
    const ValueId fresh = p_.add_value(p_[old].name, type);
    p_.swap_names(fresh, old);  // the name stays with the op's own result
    p_.nodes[at].outputs.set(result, fresh);
    p_.nodes.insert(at + 1, permute_node(p_.nodes[at], fresh, old, dims));
  }

  bool is_move(const Node& node) const { return node.op == core_.permute || node.op == core_.reshape; }

  // permute(permute), reshape(reshape), and those of either that change nothing.
  bool simplify(size_t at) {
    Node& node = p_.nodes[at];
    if (!is_move(node)) return false;
    const Shape& from = p_.type(node.inputs[0]).shape;
    const Shape& to = p_.type(node.outputs[0]).shape;
    const Node* above = p_.producer(node.inputs[0]);
    if (node.op == core_.permute && keeps_order(from, dims_of(node))) {
      node.op = core_.reshape;
      node.attrs = {};
      node.attrs.set("shape", to);
      return true;
    }
    if (node.op == core_.reshape && from == to && p_.nodes.is_read(node.outputs[0]) && !p_.is_output(node.outputs[0])) {
      p_.replace_uses(node.outputs[0], node.inputs[0]);
      return true;
    }
    if (above == nullptr || above->op != node.op) return false;
    if (node.op == core_.permute) node.attrs.set("dims", compose(dims_of(*above), dims_of(node)));
    node.inputs.set(0, above->inputs[0]);
    return true;
  }

  const Node* permute_above(ValueId id) const {
    const Node* above = id == ValueId::none ? nullptr : std::as_const(p_).producer(id);
    return above != nullptr && above->op == core_.permute ? above : nullptr;
  }

  // The permutation to sink through nodes[at]: that of most activation operands. A tie counts when it leads back from
  // channels last, the way to its inverse; so no permute goes up and down for ever.
  std::optional<Dims> sinking(const Node& node) const {
    size_t activations = 0;
    size_t permutes = 0;
    std::optional<Dims> dims;
    for (ValueId id : node.inputs) {
      if (id == ValueId::none || p_[id].is_constant()) continue;
      ++activations;
      const Node* above = permute_above(id);
      if (above == nullptr || (dims && *dims != dims_of(*above))) continue;
      dims = dims_of(*above);
      ++permutes;
    }
    if (!dims || permutes * 2 < activations || (permutes * 2 == activations && *dims != kFromChannelsLast))
      return std::nullopt;
    return dims;
  }

  bool same_shapes(const Node& node) const {
    return std::ranges::all_of(node.inputs, [&](ValueId id) {
      return id != ValueId::none && !p_[id].is_constant() && p_.type(id).shape == p_.type(node.outputs[0]).shape;
    });
  }

  // op(permute(x)) = permute(op'(x))
  bool sink(size_t at) {
    if (is_move(p_.nodes[at]) || p_.nodes[at].op->has(trait::channels_last) || p_.nodes[at].outputs.size() != 1)
      return false;
    const auto dims = sinking(p_.nodes[at]);
    if (!dims) return false;
    const bool ranks_agree = std::ranges::all_of(p_.nodes[at].inputs, [&](ValueId id) {
      return id == ValueId::none || p_[id].is_constant() || p_.type(id).shape.size() == dims->size();
    });
    if (!ranks_agree) return false;
    std::optional<Dims> result = dims;
    if (auto* through = p_.nodes[at].op->permute_through) {
      result = through(p_, p_.nodes[at], *dims);
    } else if (!p_.nodes[at].op->access.elementwise || !same_shapes(p_.nodes[at])) {
      return false;
    }
    if (!result) return false;
    for (size_t i = 0; i < p_.nodes[at].inputs.size(); ++i) {
      const ValueId x = p_.nodes[at].inputs[i];
      if (x == ValueId::none || p_[x].is_constant()) continue;
      const Node* above = permute_above(x);
      if (above != nullptr && dims_of(*above) == *dims) {
        p_.nodes[at].inputs.set(i, above->inputs[0]);
      } else {
        const ValueId y = insert_permute(at, x, inverse(*dims));
        p_.nodes[++at].inputs.set(i, y);
      }
    }
    permute_result(at, 0, *result);
    return true;
  }

  // reshape(permute(x)) = permute(reshape'(x)) where the reshape only adds or drops dimensions of size 1, as a conv1d
  // has it.
  bool sink_through_view(size_t at) {
    if (p_.nodes[at].op != core_.reshape) return false;
    const Node* above = permute_above(p_.nodes[at].inputs[0]);
    if (above == nullptr) return false;
    const Shape from = p_.type(above->outputs[0]).shape;
    const Shape to = p_.type(p_.nodes[at].outputs[0]).shape;
    const Dims from_long = dims_not_1(from);
    const Dims to_long = dims_not_1(to);
    if (permuted(from, from_long) != permuted(to, to_long)) return false;
    std::map<int64_t, int64_t> in_order_of_x;  // dimension of x -> dimension of the result
    for (size_t i = 0; i < from_long.size(); ++i)
      in_order_of_x[dims_of(*above)[static_cast<size_t>(from_long[i])]] = to_long[i];
    Dims order;
    for (size_t i = 0; i < to.size(); ++i)
      if (to[i] == 1) order.push_back(static_cast<int64_t>(i));
    for (const auto& [from_dim, to_dim] : in_order_of_x) order.push_back(to_dim);
    p_.nodes[at].inputs.set(0, above->inputs[0]);
    p_.nodes[at].attrs.set("shape", permuted(to, order));
    permute_result(at, 0, inverse(order));
    return true;
  }

  static Dims dims_not_1(const Shape& shape) {
    Dims dims;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] != 1) dims.push_back(static_cast<int64_t>(i));
    return dims;
  }

  // op(reshape(permute(x))) = op'(reshape(x)) where op can take its features in another order.
  bool absorb(size_t at) {
    Node& node = p_.nodes[at];
    if (node.op->reorder_features == nullptr) return false;
    const Node* reshape = p_.producer(node.inputs[0]);
    if (reshape == nullptr || reshape->op != core_.reshape) return false;
    const Node* permute = permute_above(reshape->inputs[0]);
    if (permute == nullptr) return false;
    const Shape& flat = p_.type(node.inputs[0]).shape;
    const auto to = feature_order(*permute, flat.back());
    if (!to) return false;
    const ValueId x = permute->inputs[0];
    Node straight = *reshape;
    straight.inputs = {x};
    straight.outputs = {p_.add_value(p_[x].name + ".flat", p_.type(node.inputs[0]))};
    node.inputs.set(0, straight.outputs[0]);
    node.op->reorder_features(p_, node, *to);
    p_.nodes.insert(at, std::move(straight));
    return true;
  }

  // Flattened to rows of `features`, the permute must reorder each row alike: to[k] = where feature k of the permuted
  // row stands in the unpermuted one.
  std::optional<Dims> feature_order(const Node& permute, int64_t features) const {
    const Shape& from = p_.type(permute.inputs[0]).shape;
    std::vector<int32_t> numbers(static_cast<size_t>(elem_count(from)));
    std::iota(numbers.begin(), numbers.end(), 0);
    Program probe;
    Node node = permute;
    node.inputs = {probe.add_constant("x", {Elem::i32, from, {}}, make_tensor(Elem::i32, from, numbers))};
    node.outputs = {probe.add_value("y", {Elem::i32, permuted(from, dims_of(permute)), {}})};
    Tensor moved(Elem::i32, probe.type(node.outputs[0]).shape);
    node.op->evaluate({probe, node, {probe[node.inputs[0]].constant.get()}, {&moved}});
    const auto index = moved.as<int32_t>();
    Dims to(index.begin(), index.begin() + features);
    for (size_t i = 0; i < index.size(); ++i) {
      const auto row = static_cast<int64_t>(i) / features * features;
      if (index[i] - row != to[i % static_cast<size_t>(features)] || index[i] < row || index[i] >= row + features)
        return std::nullopt;
    }
    return to;
  }

  bool read_channels_last(ValueId id) {
    const std::vector<Node*> users = p_.users(id);
    return !users.empty() && !p_.is_output(id) && std::ranges::all_of(users, [&](const Node* user) {
      return user->op == core_.permute && dims_of(*user) == kToChannelsLast;
    });
  }

  // `id` takes the channels-last shape; its permutes go.
  void drop_permutes(ValueId id) {
    for (Node* user : p_.users(id)) p_.replace_uses(user->outputs[0], id);
    p_.erase_nodes([&](const Node& node) { return node.op == core_.permute && node.inputs[0] == id; });
    p_[id].type.shape = permuted(p_[id].type.shape, kToChannelsLast);
  }

  Program& p_;
  const CoreOps& core_;
};

}  // namespace

Result<> assign_layout(Program& p, Context& context) {
  Layout layout(p, context.core);
  layout.wrap_spatial_ops();
  layout.settle();
  if (context.input_layout == InputLayout::nhwc)
    for (ValueId input : p.inputs) layout.hand_to_caller(input);
  return ok;
}

}  // namespace fold8::passes
