// batch_norm: y[n,c,...] = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c], with the statistics of training.
//
//   torch   batch_norm %x, %weight, %bias, %mean, %var eps=      weight and bias may be absent
//
// There is no kernel. With g = weight / sqrt(var + eps), simplify makes it a gain of g[c] and a shift of bias[c] - mean[c] *
// g[c] (op scale_bias), which folds into the weights of a neighbour where there is one.
#include "ops/constants.h"
#include "ops/gain_shift.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_batch_norm;

namespace {

// ---- import

Result<> emit(ImportCall& call) {
  std::vector<ValueId> operands;
  F8_TRY(const ValueId x, call.tensor("input"));
  operands.push_back(x);
  for (const char* arg : {"weight", "bias", "running_mean", "running_var"}) {
    F8_TRY(const ValueId id, call.optional_tensor(arg));
    operands.push_back(id);
  }
  if (operands[3] == ValueId::none || operands[4] == ValueId::none)
    return call.fail("F8-0301", "takes its statistics from the input: it has no running mean and variance")
        .note("train with track_running_stats=True");
  F8_TRY(const double eps, call.number("eps"));
  Attrs attrs;
  attrs.set("eps", eps);
  F8_CHECK(call.emit(op_batch_norm, operands, attrs));
  return ok;
}

Result<> import_batch_norm(ImportCall& call) {
  F8_TRY(const bool training, call.boolean("training"));
  if (training)
    return call.fail("F8-0301", "takes its statistics from the input, as in training")
        .note("call model.eval() before export");
  return emit(call);
}

// Its second and third result are the statistics of a batch, empty at inference.
Result<> import_native(ImportCall& call) {
  F8_CHECK(emit(call));
  while (call.results.size() < call.result_names.size())
    call.results.push_back(call.program.add_value(call.name + ".statistics_are_not_computed", f32({0})));
  return ok;
}

constexpr Param kBatchNorm[] = {
    {"input"},    {"weight", "null"},  {"bias", "null"}, {"running_mean", "null"}, {"running_var", "null"},
    {"training"}, {"momentum", "0.1"}, {"eps", "1e-05"}, {"cudnn_enabled", "true"}};
constexpr Param kNative[] = {{"input"},       {"weight", "null"},  {"bias", "null"}, {"running_mean"},
                             {"running_var"}, {"momentum", "0.1"}, {"eps", "1e-05"}};
constexpr ImportRow kImports[] = {
    {"torch.ops.aten.batch_norm.default", kBatchNorm, import_batch_norm},
    {"torch.ops.aten._native_batch_norm_legit_no_training.default", kNative, import_native},
};

// ---- shapes

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 5));
  if (!has_input(node, 3) || !has_input(node, 4)) return bad_operand("needs mean and variance");
  const Type& x = p.type(node.inputs[0]);
  if (x.shape.size() < 2)
    return bad_operand(fmt::format("input has shape {}; expected rank 2 or more", shape_text(x.shape)));
  for (size_t i = 1; i < 5; ++i) {
    if (!has_input(node, i)) continue;
    const Type& type = p.type(node.inputs[i]);
    if (type.elem != Elem::f32 || type.shape != Shape{x.shape[1]})
      return bad_operand(fmt::format("%{} is {}{}; expected one float for each of {} channels", p[node.inputs[i]].name,
                                     elem_name(type.elem), shape_text(type.shape), x.shape[1]));
  }
  const Attr* eps = node.attrs.find("eps");
  if (eps == nullptr || !std::holds_alternative<double>(*eps)) return bad_operand("needs eps=, a real");
  if (p.form != Form::torch) return bad_operand("has no int8 form");
  return std::vector{Type{x.elem, x.shape, std::nullopt}};
}

// ---- torch form

// y = g * x + shift, channel by channel.
Result<bool> simplify(Program& p, Node& node) {
  const ValueId y = node.outputs[0];
  if (p.form != Form::torch || (p.users(y).empty() && !p.is_output(y))) return false;
  const Shape& shape = p.type(node.inputs[0]).shape;
  for (size_t i = 1; i < 5; ++i)
    if (has_input(node, i) && !p[node.inputs[i]].is_constant())
      return not_integer(p, node, fmt::format("%{} is computed at run time", p[node.inputs[i]].name));
  const auto floats = [&](size_t i, double absent) {
    if (has_input(node, i)) return *real_values(p[node.inputs[i]]);
    return std::vector<double>(static_cast<size_t>(shape[1]), absent);
  };
  const auto weight = floats(1, 1);
  const auto bias = floats(2, 0);
  const auto mean = floats(3, 0);
  const auto var = floats(4, 1);
  const double eps = node.attrs.number("eps");
  Coefficients c{Shape(shape.size() - 1, 1), {}};
  c.shape[0] = shape[1];
  for (size_t k = 0; k < weight.size(); ++k) {
    const double g = weight[k] / std::sqrt(var[k] + eps);
    c.at.push_back({g, bias[k] - mean[k] * g});
    if (!std::isfinite(g) || !std::isfinite(c.at[k].shift))
      return not_integer(p, node, fmt::format("channel {} has a gain or a bias that is not finite", k));
  }
  become_scale_bias(p, node, node.inputs[0], c);
  node.attrs.erase("eps");
  return true;
}

// ---- never run

void evaluate(const Evaluation&) { require(false, "a batch norm is another op before int8 form"); }

std::vector<KernelCall> calls(const Program&, const Node&, const target::Target&) {
  throw CompilerBug("a batch norm is another op before int8 form");
}

}  // namespace

constexpr OpDef op_batch_norm = {
    .name = "batch_norm",
    .imports = kImports,
    .infer = infer,
    .evaluate = evaluate,
    .simplify = simplify,
    .calls = calls,
};
static_assert(complete(op_batch_norm));

}  // namespace fold8::ops
