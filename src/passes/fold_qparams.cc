// torch -> int8. Removes the dequantize before every operand and the quantize after every result, leaving scale and
// zero point on the values. A quantize of a dequantize becomes a requantize, or nothing. What stays real anywhere but
// at the program's ends is an error that names the node and how to have it quantized; all such nodes are reported at
// once, with what the integer form of the others does not allow. Of unread nodes and what lies beside them nothing is
// said: they are reported already.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ir/infer.h"
#include "ir/unread.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

class Folder {
 public:
  Folder(Program& p, const CoreOps& core) : p_(p), core_(core) {}

  Result<> run() {
    merge_equal_quantizes();
    fold_bare_pairs();
    for (Node& node : p_.nodes)
      if (!node.op->has(trait::converts_reals) && !is_unread(node)) fold_operands(node);
    for (Node& node : p_.nodes)
      if (!node.op->has(trait::converts_reals) && !is_unread(node)) fold_results(node);
    p_.erase_nodes(
        [&](const Node& node) { return is_quantize(node) && (folded_.contains(node.outputs[0]) || !live(node)); });
    p_.form = Form::int8;
    for (Node& node : p_.nodes)
      if (is_integer(node)) integerize_bounds(node);
    for (Node& node : p_.nodes)
      if (node.op->integerize != nullptr && is_integer(node))
        if (auto done = node.op->integerize(p_, node); !done) append(done.take_errors());
    if (!errors_.empty()) return errors_;
    return ok;
  }

 private:
  // One value quantized twice alike is quantized once.
  void merge_equal_quantizes() {
    for (Node& node : p_.nodes) {
      if (!is_quantize(node)) continue;
      for (Node* other : p_.users(node.inputs[0])) {
        if (other == &node) break;
        if (!is_quantize(*other) || p_.type(other->outputs[0]) != p_.type(node.outputs[0]) ||
            other->attrs != node.attrs)
          continue;
        p_.replace_uses(node.outputs[0], other->outputs[0]);
        break;
      }
    }
  }

  // quantize(dequantize(x)): a requantize, or x itself under the same parameters.
  void fold_bare_pairs() {
    for (Node& node : p_.nodes) {
      if (!is_quantize(node)) continue;
      const Node* source = p_.producer(node.inputs[0]);
      if (source == nullptr || source->op != core_.dequantize) continue;
      const ValueId x = source->inputs[0];
      if (p_.type(x) == p_.type(node.outputs[0])) {
        p_.replace_uses(node.outputs[0], x);
        dead_.insert(node.outputs[0]);
      } else {
        node.op = core_.requantize;
        node.inputs = {x};
      }
    }
    p_.erase_nodes([&](const Node& node) { return dead_.contains(node.outputs[0]); });
  }

  void fold_operands(Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == ValueId::none || p_[id].is_constant() || p_.type(id).elem != Elem::f32) continue;
      const Node* source = p_.producer(id);
      if (source != nullptr && source->op == core_.dequantize) {
        node.inputs.set(i, source->inputs[0]);
      } else if (source == nullptr) {
        complain(node, fmt::format("operand %{} is a float input of the model and is not quantized", p_[id].name));
      }  // else: the producer is reported, for its result or as unread
    }
  }

  void fold_results(Node& node) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (p_.type(id).elem != Elem::f32) continue;
      Node* quantize = nullptr;
      for (Node* user : p_.users(id)) {
        if (is_unread(*user)) return;
        if (!is_quantize(*user)) return complain(node, "its result is not quantized");
        if (quantize != nullptr && live(*user)) return complain(node, "its result is quantized under different scales");
        if (live(*user)) quantize = user;
      }
      if (p_.is_output(id)) return complain(node, "its result leaves the model in float");
      if (quantize == nullptr) return complain(node, "its result is not quantized");
      folded_.insert(quantize->outputs[0]);
      node.outputs.set(i, quantize->outputs[0]);
      if (quantize->attrs.has("clamp")) node.attrs.set("clamp", *quantize->attrs.find("clamp"));
    }
  }

  // The reals of a fused clamp become integers under the result's parameters.
  void integerize_bounds(Node& node) {
    if (!node.op->has(trait::fuses_clamp) || !node.attrs.has("min")) return;
    const Quant& q = *p_.type(node.outputs[0]).quant;
    const Bounds outer = clamp_bounds(node);
    const auto lo = std::clamp(quantized_bound(node.attrs.number("min"), q), outer.lo, outer.hi);
    const auto hi = std::clamp(quantized_bound(node.attrs.number("max"), q), outer.lo, outer.hi);
    node.attrs.erase("min");
    node.attrs.erase("max");
    node.attrs.set("clamp", std::vector<int64_t>{lo, hi});
  }

  bool is_quantize(const Node& node) const { return node.op == core_.quantize; }

  bool live(const Node& quantize) const { return p_.is_needed(quantize.outputs[0]); }

  // Whether the node's operands and results are integers, as they are all once nothing is complained of.
  bool is_integer(const Node& node) const {
    if (is_unread(node)) return false;
    if (node.op->has(trait::converts_reals)) return true;
    for (ValueId id : node.inputs)
      if (id != ValueId::none && !p_[id].is_constant() && p_.type(id).elem == Elem::f32) return false;
    return std::ranges::none_of(node.outputs, [&](ValueId id) { return p_.type(id).elem == Elem::f32; });
  }

  // What the exporter calls the node's op: "conv1d" of fx node "conv1d_12". An op here where there is no fx node.
  static std::string subject(const Node& node) {
    std::string name = node.place().node;
    if (name.empty()) return std::string(node.op->name);
    const size_t digits = name.find_last_not_of("0123456789");
    if (digits != std::string::npos && digits > 0 && name[digits] == '_') name.resize(digits);
    return name;
  }

  // Once for each node of the export, several of whose parts may be nodes here.
  void complain(const Node& node, const std::string& what) {
    Diag diag = error("F8-0304", fmt::format("{} is left in float by the quantizer: {}", subject(node), what))
                    .in(p_.file)
                    .at(node.place())
                    .note(
                        "fold8 computes in int8 only. Have the quantizer annotate these ops, or use one that does: a "
                        "PT2E quantizer leaves in float what its configuration does not name");
    if (diag.place.node.empty()) diag.place.node = node.name;
    if (blamed_.insert(diag.place.node).second) errors_.push_back(std::move(diag));
  }

  void append(Diags diags) { errors_.insert(errors_.end(), diags.begin(), diags.end()); }

  Program& p_;
  const CoreOps& core_;
  std::set<ValueId> folded_;
  std::set<ValueId> dead_;
  std::set<std::string> blamed_;
  Diags errors_;
};

}  // namespace

Result<> fold_qparams(Program& p, Context& context) { return Folder(p, context.core).run(); }

}  // namespace fold8::passes
