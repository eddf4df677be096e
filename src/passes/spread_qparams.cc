// Gives ops that only move data, or pick the largest of it, the parameters of their neighbours, so that fold_qparams
// finds every operand and result quantized. Exact: moving commutes with quantizing element by element, which is
// monotone.
//   dequantize -> view -> (no quantize)      =>  dequantize -> view -> quantize -> dequantize, same parameters
//   (no dequantize) -> view -> quantize      =>  quantize -> dequantize -> view -> quantize
// An op of a known range that leaves the model in float is given its fixed parameters, which is reported.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

// The type that every reader of `id` quantizes it to; nullopt if one does not, or they differ.
std::optional<Type> common_quantization(Program& p, const CoreOps& core, ValueId id) {
  std::optional<Type> common;
  for (const Node* user : p.users(id)) {
    if (user->op != core.quantize) return std::nullopt;
    const Type& type = p.type(user->outputs[0]);
    if (common && *common != type) return std::nullopt;
    common = type;
  }
  return p.is_output(id) ? std::nullopt : common;
}

class Spreader {
 public:
  Spreader(Program& p, Context& context) : p_(p), context_(context) {}

  void fix_results() {
    for (size_t i = 0; i < p_.nodes.size(); ++i) {
      const Node node = p_.nodes[i];
      const auto fixed = node.op->quant.fixed == nullptr ? std::nullopt : node.op->quant.fixed(node);
      if (!fixed || node.outputs.size() != 1 || !leaves_in_float(node.outputs[0])) continue;
      const auto [scale, zero] = *fixed;
      Diag report =
          p_.error_at(node, "F8-0307",
                      fmt::format("%{} leaves the model in float; it is quantized with scale {} and zero point {}",
                                  p_[node.outputs[0]].name, scale, zero));
      report.severity = Severity::note;
      context_.reports.push_back(std::move(report));
      insert_pair(i + 1, node.outputs[0], Quant::per_tensor(scale, zero), node);
    }
  }

  void down() {
    for (size_t i = 0; i < p_.nodes.size(); ++i) {
      const Node mover = p_.nodes[i];
      if (!mover.op->quant.commutes() || mover.outputs.size() != 1) continue;
      const auto quant = operands_quant(mover);
      if (!quant) continue;
      const ValueId y = mover.outputs[0];
      if (!p_.is_needed(y)) continue;
      if (common_quantization(p_, context_.core, y)) continue;
      insert_pair(i + 1, y, *quant, mover);
    }
  }

  void up() {
    for (size_t i = p_.nodes.size(); i-- > 0;) {
      const Node mover = p_.nodes[i];
      if (!mover.op->quant.commutes() || mover.outputs.size() != 1) continue;
      const auto type = common_quantization(p_, context_.core, mover.outputs[0]);
      if (!type) continue;
      for (ValueId x : std::set<ValueId>(mover.inputs.begin(), mover.inputs.end()))
        if (p_.type(x).elem == Elem::f32 && !p_[x].is_constant() && quant_of(x) == nullptr &&
            p_.sole_user(x) != nullptr)
          insert_pair(i, x, *type->quant, mover);
    }
  }

 private:
  // Scale and zero point of the integers that `id` is the dequantize of; null if it is not one.
  const Quant* quant_of(ValueId id) {
    const Node* source = p_.producer(id);
    return source != nullptr && source->op == context_.core.dequantize ? &*p_.type(source->inputs[0]).quant : nullptr;
  }

  // Whether `id` goes to the caller, as it is or moved, and nowhere else.
  bool leaves_in_float(ValueId id) {
    const std::vector<Node*> users = p_.users(id);
    if (p_.type(id).elem != Elem::f32 || (users.empty() && !p_.is_output(id))) return false;
    return std::ranges::all_of(users, [&](const Node* user) {
      return user->op->quant.commutes() && user->inputs.size() == 1 && user->outputs.size() == 1 &&
             leaves_in_float(user->outputs[0]);
    });
  }

  // What the result can be quantized with: the parameters of all operands where they are the same, else those of the
  // range that spans them (align_qparams then rescales operands, and says so). Float constants take any. nullopt if an
  // operand is not quantized.
  std::optional<Quant> operands_quant(const Node& mover) {
    std::vector<Quant> all;
    for (ValueId x : mover.inputs) {
      if (p_[x].is_constant()) continue;
      const Quant* quant = quant_of(x);
      if (quant == nullptr || !quant->is_per_tensor())
        return std::nullopt;  // or a weight that fold_constants could not move
      all.push_back(*quant);
    }
    if (all.empty()) return std::nullopt;
    const bool same = std::ranges::all_of(all, [&](const Quant& q) { return q == all[0]; });
    if (same) return all[0];
    double lo = 0;
    double hi = 0;
    for (const Quant& q : all) {
      lo = std::min(lo, (-128 - q.zero) * q.scale());
      hi = std::max(hi, (127 - q.zero) * q.scale());
    }
    const double scale = (hi - lo) / 255;
    return Quant::per_tensor(scale, static_cast<int32_t>(std::clamp(-128 - std::nearbyint(lo / scale), -128.0, 127.0)));
  }

  // Before nodes[at]: q = quantize(value), dq = dequantize(q); every reader of `value` from there on reads dq.
  void insert_pair(size_t at, ValueId value, const Quant& quant, const Node& mover) {
    const std::string name = p_[value].name;
    const Shape shape = p_.type(value).shape;
    const ValueId q = p_.add_value(name + ".q", {Elem::i8, shape, quant});
    const ValueId dq = p_.add_value(name + ".dq", f32(shape));
    p_.replace_uses(value, dq);
    p_.nodes.insert(at, Node{context_.core.quantize, name + ".q", {value}, {q}, {}, mover.places});
    p_.nodes.insert(at + 1, Node{context_.core.dequantize, name + ".dq", {q}, {dq}, {}, mover.places});
  }

  Program& p_;
  Context& context_;
};

}  // namespace

Result<> spread_qparams(Program& p, Context& context) {
  Spreader spreader(p, context);
  spreader.fix_results();
  spreader.down();
  spreader.up();
  return ok;
}

}  // namespace fold8::passes
