#include "interp/interpreter.h"

namespace fold8::interp {

using namespace ir;

std::vector<Tensor> run(const Program& p, const std::vector<Tensor>& inputs, const Observer& observer) {
  require(p.form >= Form::int8, "the interpreter runs programs from the int8 form on");
  require(inputs.size() == p.inputs.size(), "the interpreter is given one tensor for each input");
  IndexedVector<ValueId, Tensor> values(p.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Type& type = p.type(p.inputs[i]);
    require(inputs[i].elem == type.elem && inputs[i].shape == type.shape, "an input has the program's type");
    values[p.inputs[i]] = inputs[i];
  }
  auto tensor = [&](ValueId id) -> const Tensor* {
    if (id == ValueId::none) return nullptr;
    return p[id].is_constant() ? p[id].constant.get() : &values[id];
  };
  for (const Node& node : p.nodes) {
    Evaluation e{p, node, {}, {}};
    for (ValueId id : node.inputs) e.in.push_back(tensor(id));
    for (ValueId id : node.outputs) {
      Tensor& out = values[id];
      out = Tensor(p.type(id).elem, p.type(id).shape);
      e.out.push_back(&out);
    }
    node.op->evaluate(e);
    if (observer) observer(node, std::vector<const Tensor*>(e.out.begin(), e.out.end()));
  }
  std::vector<Tensor> outputs;
  for (ValueId id : p.outputs) outputs.push_back(*tensor(id));
  return outputs;
}

}  // namespace fold8::interp
