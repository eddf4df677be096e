// Gives ops that only move data the parameters of their neighbours, so that fold_qparams finds every operand and result
// quantized. Exact: moving commutes with quantizing element by element.
//   dequantize -> view -> (no quantize)      =>  dequantize -> view -> quantize -> dequantize, same parameters
//   (no dequantize) -> view -> quantize      =>  quantize -> dequantize -> view -> quantize
#include <algorithm>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

const OpDef& op_with(const Context& context, unsigned trait_bit) {
  for (const OpDef* op : context.ops)
    if (op->has(trait_bit)) return *op;
  throw CompilerBug("the table has an op with every trait that passes insert");
}

// The type that every reader of `id` quantizes it to; nullopt if one does not, or they differ.
std::optional<Type> common_quantization(Program& p, ValueId id) {
  std::optional<Type> common;
  for (const Node* user : p.users(id)) {
    if (!user->op->has(trait::is_quantize)) return std::nullopt;
    const Type& type = p.type(user->outputs[0]);
    if (common && *common != type) return std::nullopt;
    common = type;
  }
  return p.is_output(id) ? std::nullopt : common;
}

class Spreader {
 public:
  Spreader(Program& p, Context& context)
      : p_(p), quantize_(op_with(context, trait::is_quantize)), dequantize_(op_with(context, trait::is_dequantize)) {}

  void down() {
    for (size_t i = 0; i < p_.nodes.size(); ++i) {
      const Node mover = p_.nodes[i];
      if (!mover.op->has(trait::moves_data) || mover.outputs.size() != 1) continue;
      const Node* source = p_.producer(mover.inputs[0]);
      if (source == nullptr || !source->op->has(trait::is_dequantize)) continue;
      const ValueId y = mover.outputs[0];
      if (p_.users(y).empty() && !p_.is_output(y)) continue;
      if (common_quantization(p_, y)) continue;
      insert_pair(i + 1, y, *p_.type(source->inputs[0]).quant, mover);
    }
  }

  void up() {
    for (size_t i = p_.nodes.size(); i-- > 0;) {
      const Node mover = p_.nodes[i];
      if (!mover.op->has(trait::moves_data) || mover.outputs.size() != 1) continue;
      const ValueId x = mover.inputs[0];
      const Node* source = p_.producer(x);
      if (p_.type(x).elem != Elem::f32 || (source != nullptr && source->op->has(trait::is_dequantize))) continue;
      const auto type = common_quantization(p_, mover.outputs[0]);
      if (type && p_.sole_user(x) != nullptr) insert_pair(i, x, *type->quant, mover);
    }
  }

 private:
  // Before nodes[at]: q = quantize(value), dq = dequantize(q); every reader of `value` from there on reads dq.
  void insert_pair(size_t at, ValueId value, const Quant& quant, const Node& mover) {
    const std::string name = p_[value].name;
    const Shape shape = p_.type(value).shape;
    const ValueId q = p_.add_value(name + ".q", {Elem::i8, shape, quant});
    const ValueId dq = p_.add_value(name + ".dq", f32(shape));
    p_.replace_uses(value, dq);
    const auto here = p_.nodes.begin() + static_cast<ptrdiff_t>(at);
    p_.nodes.insert(here, {Node{&quantize_, name + ".q", {value}, {q}, {}, mover.places},
                           Node{&dequantize_, name + ".dq", {q}, {dq}, {}, mover.places}});
  }

  Program& p_;
  const OpDef& quantize_;
  const OpDef& dequantize_;
};

}  // namespace

Result<> spread_qparams(Program& p, Context& context) {
  Spreader spreader(p, context);
  spreader.down();
  spreader.up();
  return ok;
}

}  // namespace fold8::passes
