// batch_norm: y[n,c,...] = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c], with the statistics of training.
//
//   torch   batch_norm %x, %weight, %bias, %mean, %var eps=      weight and bias may be absent
//
// There is no kernel: a batch norm belongs to the weights of the linear or convolution before it. With
// g = weight / sqrt(var + eps), simplify scales output channel c's weights by g[c] (quantized ones by their scale,
// exactly) and makes the bias b * g + bias - mean * g.
#include <algorithm>

#include "ops/constants.h"

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

// ---- folding

Diag cannot_fold(const Program& p, const Node& node, std::string why) {
  return p.error_at(node, "F8-0302", std::move(why))
      .note(
          "a batch norm is folded into the linear or convolution whose result it alone reads: keep them neighbours, "
          "and let "
          "prepare_pt2e, on a model in eval mode, fold them before it quantizes");
}

// y = g * x + shift, channel by channel.
struct Affine {
  std::vector<double> gain, shift;
};

Result<Affine> affine(const Program& p, const Node& node) {
  const auto floats = [&](size_t i, double absent) {
    if (has_input(node, i)) return *real_values(p[node.inputs[i]]);
    return std::vector<double>(static_cast<size_t>(p.type(node.inputs[0]).shape[1]), absent);
  };
  for (size_t i = 1; i < 5; ++i)
    if (has_input(node, i) && !p[node.inputs[i]].is_constant())
      return cannot_fold(p, node, fmt::format("%{} is computed at run time", p[node.inputs[i]].name));
  const auto weight = floats(1, 1);
  const auto bias = floats(2, 0);
  const auto mean = floats(3, 0);
  const auto var = floats(4, 1);
  const double eps = node.attrs.number("eps");
  Affine a;
  for (size_t c = 0; c < weight.size(); ++c) {
    const double g = weight[c] / std::sqrt(var[c] + eps);
    a.gain.push_back(g);
    a.shift.push_back(bias[c] - mean[c] * g);
    if (!std::isfinite(g) || !std::isfinite(a.shift[c]))
      return cannot_fold(p, node, fmt::format("channel {} has a gain or a bias that is not finite", c));
  }
  return a;
}

// The linear or convolution before the batch norm, through reshapes that keep batch and channels: a conv1d has them.
Node* weighted_before(Program& p, const Node& node) {
  ValueId x = node.inputs[0];
  for (const Node* reader = &node;;) {
    Node* above = p.producer(x);
    if (above == nullptr || p.sole_user(x) != reader) return nullptr;
    const Shape& shape = p.type(x).shape;
    const bool on_axis_1 = above->op->has(trait::channels_last) ? shape.size() == 4 : shape.size() == 2;
    if (above->op->has(trait::weighted)) return on_axis_1 && !above->attrs.has("layout") ? above : nullptr;
    const Shape& from = p.type(above->inputs[0]).shape;
    if (!above->op->has(trait::shape_only) || from.size() < 2 || shape.size() < 2 || from[0] != shape[0] ||
        from[1] != shape[1])
      return nullptr;
    reader = above;
    x = above->inputs[0];
  }
}

// The constant behind an operand, through its dequantize; null if it is computed at run time.
const Value* constant_behind(const Program& p, ValueId id) {
  if (p[id].is_constant()) return &p[id];
  const Node* source = p.producer(id);
  if (source == nullptr || !source->op->has(trait::is_dequantize) || !p[source->inputs[0]].is_constant())
    return nullptr;
  return &p[source->inputs[0]];
}

// Weights as rows, one for each output channel.
size_t row_size(const Value& w) {
  return w.type.shape[0] == 0 ? 1 : static_cast<size_t>(w.type.elems() / w.type.shape[0]);
}

ValueId scaled_floats(Program& p, const Value& w, const std::vector<double>& gain) {
  std::vector<float> data;
  const auto old = w.constant->as<float>();
  for (size_t i = 0; i < old.size(); ++i)
    data.push_back(static_cast<float>(static_cast<double>(old[i]) * gain[i / row_size(w)]));
  return p.add_constant(w.name, w.type, make_tensor(Elem::f32, w.type.shape, data));
}

// Integers stay, but for their sign; scales become one for each output channel.
Result<ValueId> scaled_integers(Program& p, const Node& node, const Value& w, const std::vector<double>& gain) {
  const Quant& q = *w.type.quant;
  if (q.zero != 0 || (!q.is_per_tensor() && q.axis != 0))
    return cannot_fold(p, node, fmt::format("weight %{} is not symmetric, per tensor or per output channel", w.name));
  Type type = w.type;
  type.quant = Quant{{}, 0, 0};
  std::vector<int> signs;
  for (size_t o = 0; o < gain.size(); ++o) {
    const double scale = q.scales[q.is_per_tensor() ? 0 : o];
    const bool dead = scale * std::abs(gain[o]) < 0x1p-140;  // no usable scale, and no product that would show
    type.quant->scales.push_back(dead ? scale : scale * std::abs(gain[o]));
    signs.push_back(dead ? 0 : gain[o] < 0 ? -1 : 1);
  }
  std::vector<int8_t> data;
  const auto old = w.constant->as<int8_t>();
  for (size_t i = 0; i < old.size(); ++i) {
    const size_t o = i / row_size(w);
    if (signs[o] < 0 && old[i] == -128)
      return cannot_fold(p, node,
                         fmt::format("channel {} has gain {} and weight %{} a -128 in it, whose negative is no int8", o,
                                     gain[o], w.name));
    data.push_back(static_cast<int8_t>(signs[o] * old[i]));
  }
  return p.add_constant(w.name, type, make_tensor(Elem::i8, type.shape, data));
}

// b * g + shift
std::vector<float> folded_bias(const std::vector<double>& bias, const Affine& a) {
  std::vector<float> result;
  for (size_t c = 0; c < a.gain.size(); ++c)
    result.push_back(static_cast<float>((bias.empty() ? 0 : bias[c]) * a.gain[c] + a.shift[c]));
  return result;
}

Result<bool> simplify(Program& p, Node& node) {
  if (p.form != Form::torch) return false;
  const ValueId y = node.outputs[0];
  if (p.users(y).empty() && !p.is_output(y)) return false;
  F8_TRY(const Affine a, affine(p, node));
  Node* before = weighted_before(p, node);
  if (before == nullptr)
    return cannot_fold(p, node, "does not follow a linear or a convolution whose result it alone reads");
  if (before->attrs.has("min"))
    return cannot_fold(p, node, fmt::format("an activation stands between it and {}", before->name));
  const Value* found = constant_behind(p, before->inputs[1]);
  if (found == nullptr)
    return cannot_fold(p, node, fmt::format("weight %{} is computed at run time", p[before->inputs[1]].name));
  const Value w = *found;
  if (w.type.elem != Elem::f32 && !w.type.is_q8())
    return cannot_fold(p, node, fmt::format("weight %{} is {}", w.name, elem_name(w.type.elem)));

  std::vector<double> reals;
  if (has_input(*before, 2)) {
    const Value* bias = constant_behind(p, before->inputs[2]);
    const auto values = bias == nullptr ? std::nullopt : real_values(*bias);
    if (!values) return cannot_fold(p, node, fmt::format("bias %{} is not a constant", p[before->inputs[2]].name));
    reals = *values;
  }
  const std::string name = before->name;
  before->inputs.resize(3, ValueId::none);
  before->inputs[2] = p.add_constant(name + ".bias", f32({w.type.shape[0]}),
                                     make_tensor(Elem::f32, {w.type.shape[0]}, folded_bias(reals, a)));
  before->places.insert(before->places.end(), node.places.begin(), node.places.end());
  const ValueId x = node.inputs[0];
  if (w.type.elem == Elem::f32) {
    before->inputs[1] = scaled_floats(p, w, a.gain);
  } else {
    F8_TRY(const ValueId weight, scaled_integers(p, node, w, a.gain));
    Node dequantize = *p.producer(before->inputs[1]);
    dequantize.inputs = {weight};
    dequantize.outputs = {p.add_value(p[before->inputs[1]].name, f32(w.type.shape))};
    before->inputs[1] = dequantize.outputs[0];
    p.nodes.insert(p.nodes.begin() + (before - p.nodes.data()), std::move(dequantize));
  }
  p.replace_uses(y, x);
  p.erase_nodes([&](const Node& other) { return other.outputs[0] == y; });
  return true;
}

// ---- never run

void evaluate(const Evaluation&) { require(false, "a batch norm is folded before int8 form"); }

std::vector<KernelCall> calls(const Program&, const Node&, const target::Target&) {
  throw CompilerBug("a batch norm is folded before int8 form");
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
