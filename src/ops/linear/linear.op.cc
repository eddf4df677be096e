// linear: y[..., o] = sum_i x[..., i] * w[o, i] + b[o]. Its own op, not a kind of matmul: the weights are constants, so
// kernel_sum (docs/arithmetic.md section 3) replaces bias and input offset ahead of time and the kernel needs no
// scratch.
//
//   torch   linear %x, %w [, %b]  [min= max=]              f32 [..., ins], [outs, ins], [outs] -> [..., outs]
//   int8    linear %x, %w [, %b]  [clamp=[lo,hi]]          q8, constant q8, constant q32 -> q8
//   packed  linear %x, %w, %kernel_sum, %rescale  clamp outs   w: i8[bytes] in the target's order
//           linear %x, %stream  clamp outs stream=isa          all three in one stream, where the target's kernel reads
//           one
#include "ops/accumulate.h"
#include "ops/channels.h"
#include "target/kernel_orders.h"

namespace fold8::ops {
namespace {

using namespace ir;

// ---- import

constexpr Param kLinearParams[] = {{"input"}, {"weight"}, {"bias", "null"}};
constexpr Param kAddmmParams[] = {{"self"}, {"mat1"}, {"mat2"}, {"beta", "1"}, {"alpha", "1"}};
constexpr Param kMmParams[] = {{"self"}, {"mat2"}};
constexpr Param kMatmulParams[] = {{"self"}, {"other"}};

}  // namespace

extern const OpDef op_linear;
extern const OpDef op_permute;

namespace {

Result<> import_linear(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("input"));
  F8_TRY(const ValueId w, call.tensor("weight"));
  F8_TRY(const ValueId b, call.optional_tensor("bias"));
  std::vector<ValueId> operands = {x, w};
  if (b != ValueId::none) operands.push_back(b);
  F8_CHECK(call.emit(op_linear, operands, {}));
  return ok;
}

// x @ m [+ bias], m [ins, outs]: linear takes the transpose, which constant folding then finds in the weights.
Result<> emit_matmul(ImportCall& call, ValueId x, ValueId m, ValueId bias) {
  if (call.program.type(m).shape.size() != 2)
    return call.fail("F8-0301", fmt::format("the second matrix has shape {}; supported: a constant of rank 2",
                                            shape_text(call.program.type(m).shape)));
  Attrs swap;
  swap.set("dims", std::vector<int64_t>{1, 0});
  F8_TRY(const ValueId w, call.emit(op_permute, {m}, swap, /*is_result=*/false));
  std::vector<ValueId> operands = {x, w};
  if (bias != ValueId::none) operands.push_back(bias);
  F8_CHECK(call.emit(op_linear, operands, {}));
  return ok;
}

Result<> import_addmm(ImportCall& call) {
  F8_TRY(const ValueId bias, call.tensor("self"));
  F8_TRY(const ValueId x, call.tensor("mat1"));
  F8_TRY(const ValueId m, call.tensor("mat2"));
  F8_TRY(const double beta, call.number("beta"));
  F8_TRY(const double alpha, call.number("alpha"));
  if (beta != 1 || alpha != 1) return call.fail("F8-0301", "beta and alpha other than 1 are not supported");
  return emit_matmul(call, x, m, bias);
}

Result<> import_mm(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const ValueId m, call.tensor("mat2"));
  return emit_matmul(call, x, m, ValueId::none);
}

Result<> import_matmul(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  F8_TRY(const ValueId m, call.tensor("other"));
  return emit_matmul(call, x, m, ValueId::none);
}

constexpr ImportRow kImports[] = {
    {"torch.ops.aten.linear.default", kLinearParams, import_linear},
    {"torch.ops.aten.addmm.default", kAddmmParams, import_addmm},
    {"torch.ops.aten.mm.default", kMmParams, import_mm},
    {"torch.ops.aten.matmul.default", kMatmulParams, import_matmul},
};

// ---- shapes

bool packed(const Program& p) { return p.form >= Form::packed; }

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(packed(p) ? expect_operands(node, 2, 4) : expect_operands(node, 2, 3));
  F8_CHECK(check_clamp(node));
  const Type& x = p.type(node.inputs[0]);
  if (x.shape.empty()) return bad_operand("input is a scalar; expected rank 1 or more");
  Type y{x.elem, x.shape, std::nullopt};
  if (packed(p)) {
    y.shape.back() = node.attrs.integer("outs");
    return std::vector{y};
  }
  const Type& w = p.type(node.inputs[1]);
  if (w.shape.size() != 2)
    return bad_operand(fmt::format("weight has shape {}; expected [outs, ins]", shape_text(w.shape)));
  if (x.shape.back() != w.shape[1])
    return bad_operand(fmt::format("input {} and weight {} disagree: {} is not {}", shape_text(x.shape),
                                   shape_text(w.shape), x.shape.back(), w.shape[1]));
  if (has_input(node, 2) && p.type(node.inputs[2]).shape != Shape{w.shape[0]})
    return bad_operand(
        fmt::format("bias has shape {}; expected [{}]", shape_text(p.type(node.inputs[2]).shape), w.shape[0]));
  y.shape.back() = w.shape[0];
  return std::vector{y};
}

// ---- meaning

struct Sizes {
  size_t batch, ins, outs;
};

Sizes sizes(const Evaluation& e) {
  const auto outs = static_cast<size_t>(e.out_type(0).shape.back());
  const auto ins = static_cast<size_t>(e.in_type(0).shape.back());
  return {outs == 0 ? 0 : static_cast<size_t>(e.out_type(0).elems()) / outs, ins, outs};
}

// y = zy + R(sum (x - zx) * w + b), clamped: from the definition, without kernel_sum.
void evaluate_int8(const Evaluation& e) {
  const auto [batch, ins, outs] = sizes(e);
  const auto x = e.in[0]->as<int8_t>();
  const auto w = e.in[1]->as<int8_t>();
  const std::vector<quant::Rescale> scale = rescales(e.program, e.node);
  const int32_t zx = e.in_type(0).quant->zero;
  const int32_t zy = e.out_type(0).quant->zero;
  const Bounds bounds = clamp_bounds(e.node);
  for (size_t b = 0; b < batch; ++b)
    for (size_t o = 0; o < outs; ++o) {
      int64_t acc = has_input(e.node, 2) ? e.in[2]->as<int32_t>()[o] : 0;
      for (size_t i = 0; i < ins; ++i) acc += int64_t{x[b * ins + i] - zx} * w[o * ins + i];
      const int64_t y = int64_t{zy} + quant::apply(scale[scale.size() == 1 ? 0 : o], static_cast<int32_t>(acc));
      e.out[0]->as<int8_t>()[b * outs + o] = static_cast<int8_t>(quant::clamp(y, bounds.lo, bounds.hi));
    }
}

f8k::WeightOrder order_of(const Node& node) {
  const auto& list = node.attrs.integers("order");
  return {static_cast<int32_t>(list[0]), static_cast<int32_t>(list[1])};
}

// What the kernel is given, as plain rows.
target::Matrix given(const Evaluation& e, int64_t outs, int64_t ins) {
  if (e.node.attrs.has("stream"))
    return target::stream_format(e.node.attrs.text("stream"))->unpack_rows(e.in[1]->as<int32_t>().data(), outs, ins);
  const f8k::WeightOrder order = order_of(e.node);
  const auto w = e.in[1]->as<int8_t>();
  const auto sums = e.in[2]->as<int32_t>();
  const auto scale = e.in[3]->as<quant::Rescale>();
  target::Matrix m{outs, ins, {}, {sums.begin(), sums.end()}, {scale.begin(), scale.end()}, e.out_type(0).quant->zero};
  for (int64_t o = 0; o < outs; ++o)
    for (int64_t i = 0; i < ins; ++i) m.weights.push_back(w[static_cast<size_t>(order.at(o, i, ins))]);
  return m;
}

// The same from what the kernel is given: proves that packing lost nothing.
void evaluate_packed(const Evaluation& e) {
  const auto [batch, ins, outs] = sizes(e);
  const auto x = e.in[0]->as<int8_t>();
  const target::Matrix m = given(e, static_cast<int64_t>(outs), static_cast<int64_t>(ins));
  const Bounds bounds = clamp_bounds(e.node);
  for (size_t b = 0; b < batch; ++b)
    for (size_t o = 0; o < outs; ++o) {
      int64_t acc = m.sums[o];
      for (size_t i = 0; i < ins; ++i) acc += int64_t{x[b * ins + i]} * m.weights[o * ins + i];
      const int64_t y = int64_t{m.zero.value_or(e.out_type(0).quant->zero)} +
                        quant::apply(m.rescales[m.rescales.size() == 1 ? 0 : o], static_cast<int32_t>(acc));
      e.out[0]->as<int8_t>()[b * outs + o] = static_cast<int8_t>(quant::clamp(y, bounds.lo, bounds.hi));
    }
}

void evaluate(const Evaluation& e) { packed(e.program) ? evaluate_packed(e) : evaluate_int8(e); }

// w'[o, to[k]] = w[o, k]
void reorder_features(Program& p, Node& node, const std::vector<int64_t>& to) {
  const Value w = p[node.inputs[1]];
  const auto old = w.constant->as<int8_t>();
  std::vector<int8_t> rows(old.size());
  const size_t ins = to.size();
  for (size_t i = 0; i < old.size(); ++i) rows[i / ins * ins + static_cast<size_t>(to[i % ins])] = old[i];
  node.inputs.set(1, p.add_constant(w.name, w.type, make_tensor(Elem::i8, w.type.shape, rows)));
}

// ---- device

Result<> pack(Program& p, Node& node, const target::Target& target, const target::CompileOptions& options) {
  const Value w = p[node.inputs[1]];
  const int64_t outs = w.type.shape[0];
  const int64_t ins = w.type.shape[1];
  node.attrs.set("outs", outs);
  const auto rows = w.constant->as<int8_t>();
  if (const target::StreamFormat* format = chosen_streams(node, target, options.prefer)) {
    target::Matrix matrix = stream_matrix(p, node, 0, outs, ins);
    matrix.weights.assign(rows.begin(), rows.end());
    if (replace_by_streams(p, node, target, {matrix}, format->pack_rows)) return ok;
  }
  const f8k::WeightOrder order = target::gemm_order(target);
  std::vector<int8_t> bytes(static_cast<size_t>(order.bytes(outs, ins)));
  for (int64_t o = 0; o < outs; ++o)
    for (int64_t i = 0; i < ins; ++i)
      bytes[static_cast<size_t>(order.at(o, i, ins))] = rows[static_cast<size_t>(o * ins + i)];

  node.attrs.set("order", std::vector<int64_t>{order.out_block, order.in_block});
  replace_by_packed(p, node, bytes);
  return ok;
}

int64_t scratch_bytes(const Program& p, const Node& node, const target::Target& target) {
  const Type& x = p.type(node.inputs[0]);
  const int64_t ins = x.shape.back();
  return node.attrs.has("stream") && ins > 0
             ? target::stream_format(target.isa)->rows_buffer_bytes(ins, node.attrs.integer("outs"), x.elems() / ins)
             : 0;
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target& target) {
  const Type& x = p.type(node.inputs[0]);
  const Type& y = p.type(node.outputs[0]);
  const int64_t ins = x.shape.back();
  const int64_t outs = y.shape.back();
  if (y.elems() == 0) return {};
  const Bounds bounds = clamp_bounds(node);
  const KernelStruct shape{"f8k::LinearShape", {{"batch", y.elems() / outs}, {"ins", ins}, {"outs", outs}}};
  const KernelStruct out{"f8k::Output", {{"zero", y.quant->zero}, {"lo", bounds.lo}, {"hi", bounds.hi}}};
  if (node.attrs.has("stream"))
    return {{.function = "f8k::linear_stream",
             .header = "ops/linear/linear_stream.kernel.h",
             .template_args = {bounds.lo > -128 || bounds.hi < 127 ? "true" : "false"},
             .args = {shape, out, KernelPointer{node.inputs[0]}, KernelPointer{node.inputs[1]},
                      scratch_bytes(p, node, target) > 0 ? KernelArg{KernelScratch{}}
                                                         : KernelArg{KernelPointer{ValueId::none}},
                      KernelPointer{node.outputs[0]}}}};
  return {{.function = "f8k::linear",
           .header = "ops/linear/linear.kernel.h",
           .template_args = {p.type(node.inputs[3]).elems() > 1 ? "true" : "false"},
           .args = {shape, out, KernelPointer{node.inputs[0]}, KernelPointer{node.inputs[1]},
                    KernelPointer{node.inputs[2]}, KernelPointer{node.inputs[3]}, KernelPointer{node.outputs[0]}}}};
}

int64_t macs(const Program& p, const Node& node) {
  return p.type(node.outputs[0]).elems() * p.type(node.inputs[0]).shape.back();
}

}  // namespace

constexpr OpDef op_linear = {
    .name = "linear",
    .traits = trait::fuses_clamp,
    .quant = {.weights = WeightRule{}},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize_weighted,
    .evaluate = evaluate,
    .reorder_features = reorder_features,
    .channels = &kWeightedChannels,
    .pack = pack,
    .calls = calls,
    .scratch_bytes = scratch_bytes,
    .macs = macs,
};
static_assert(complete(op_linear));

}  // namespace fold8::ops
