#include "ops/accumulate.h"

#include <cstdlib>

namespace fold8::ops {
namespace {

using namespace ir;

const WeightRule& rule_of(const Node& node) { return *node.op->quant.weights; }
const Value& weight(const Program& p, const Node& node) { return p[node.inputs[rule_of(node).operand]]; }
bool has_bias(const Node& node) { return has_input(node, rule_of(node).bias); }
const Value& bias_of(const Program& p, const Node& node) { return p[node.inputs[rule_of(node).bias]]; }

double weight_scale(const Quant& q, size_t out) { return q.is_per_tensor() ? q.scale() : q.scales[out]; }

// The weights as rows: one for each output channel.
struct Rows {
  std::span<const int8_t> data;
  size_t outs;
  size_t width;
  std::span<const int8_t> row(size_t o) const { return data.subspan(o * width, width); }
};

Rows weight_rows(const Program& p, const Node& node) {
  const Value& w = weight(p, node);
  const auto outs = static_cast<size_t>(w.type.shape[0]);
  const auto data = w.constant->as<int8_t>();
  return {data, outs, outs == 0 ? 0 : data.size() / outs};
}

Result<> check_operands(const Program& p, const Node& node) {
  const Value& x = p[node.inputs[0]];
  const Value& w = weight(p, node);
  if (!x.type.is_q8() || !x.type.quant->is_per_tensor())
    return not_integer(p, node, fmt::format("input %{} is not int8 with one scale and zero point", x.name));
  if (!w.is_constant())
    return not_integer(p, node, fmt::format("weight %{} is computed at run time; supported: constant weights", w.name));
  if (!w.type.is_q8())
    return not_integer(p, node, fmt::format("weight %{} is not quantized to int8", w.name))
        .note("quantize the weights too: a PT2E quantizer does so where its config names this op");
  if (w.type.quant->zero != 0)
    return not_integer(p, node,
                       fmt::format("weight %{} has zero point {}; supported: symmetric weights (zero point 0)", w.name,
                                   w.type.quant->zero));
  if (!w.type.quant->is_per_tensor() && w.type.quant->axis != rule_of(node).axis)
    return not_integer(
        p, node,
        fmt::format("weight %{} is quantized along axis {}; supported: per tensor, or per output channel (axis {})",
                    w.name, w.type.quant->axis, rule_of(node).axis));
  return ok;
}

// The bias in reals, one for each output: from float or from integers of any scale.
std::vector<double> real_bias(const Value& bias) {
  std::vector<double> reals;
  if (bias.type.elem == Elem::f32) {
    for (float b : bias.constant->as<float>()) reals.push_back(static_cast<double>(b));
  } else {
    const auto ints = bias.constant->as<int32_t>();
    for (size_t o = 0; o < ints.size(); ++o)
      reals.push_back((ints[o] - bias.type.quant->zero) * weight_scale(*bias.type.quant, o));
  }
  return reals;
}

// Scales are float32 in archives; sx * sw rounded to float32 is within 2^-24 of the double product.
bool same_scale(double a, double b) { return std::abs(a - b) <= 1e-6 * b; }

// Replaces operand 2 by q32 of scale sx * sw[o]; leaves a bias that already is.
Result<> integerize_bias(Program& p, Node& node) {
  if (!has_bias(node)) return ok;
  const Value bias = bias_of(p, node);
  const bool known =
      bias.is_constant() && (bias.type.elem == Elem::f32 || (bias.type.elem == Elem::i32 && bias.type.quant));
  if (!known)
    return not_integer(p, node, fmt::format("bias %{} is neither a float nor a quantized int32 constant", bias.name));

  const double sx = p.type(node.inputs[0]).quant->scale();
  const Quant& wq = *weight(p, node).type.quant;
  Quant target{{}, 0, wq.axis};
  for (double sw : wq.scales) target.scales.push_back(sx * sw);

  const auto outs = static_cast<size_t>(bias.type.elems());
  bool exact = bias.type.elem == Elem::i32 && bias.type.quant->zero == 0;
  for (size_t o = 0; exact && o < outs; ++o)
    exact = same_scale(weight_scale(*bias.type.quant, o), weight_scale(target, o));
  std::vector<int32_t> ints;
  if (exact) {
    const auto given = bias.constant->as<int32_t>();
    ints.assign(given.begin(), given.end());
  } else {
    const std::vector<double> reals = real_bias(bias);
    for (size_t o = 0; o < outs; ++o) {
      const double scaled = std::nearbyint(reals[o] / weight_scale(target, o));
      if (!(std::abs(scaled) < 0x1p31))
        return not_integer(p, node,
                           fmt::format("bias %{}[{}] = {} does not fit int32 at scale {}", bias.name, o, reals[o],
                                       weight_scale(target, o)));
      ints.push_back(static_cast<int32_t>(scaled));
    }
  }
  const Type type{Elem::i32, bias.type.shape, target};
  node.inputs.set(rule_of(node).bias, p.add_constant(node.name + ".bias", type, make_tensor(Elem::i32, bias.type.shape, ints)));
  return ok;
}

// |partial sum| <= |kernel_sum| + 128 * sum |w| at every step, in whatever order the kernel adds.
Result<> check_accumulators(const Program& p, const Node& node) {
  const Rows rows = weight_rows(p, node);
  const int64_t zero = p.type(node.inputs[0]).quant->zero;
  for (size_t o = 0; o < rows.outs; ++o) {
    int64_t sum = 0;
    int64_t magnitude = 0;
    for (int8_t w : rows.row(o)) {
      sum += w;
      magnitude += std::abs(w);
    }
    const int64_t bias = has_bias(node) ? bias_of(p, node).constant->as<int32_t>()[o] : 0;
    if (std::abs(bias - zero * sum) + 128 * magnitude > INT32_MAX)
      return not_integer(
          p, node,
          fmt::format("the accumulator of output channel {} can leave int32 (bias {}, sum of |weights| {})", o, bias,
                      magnitude));
  }
  return ok;
}

Result<> check_scales(const Program& p, const Node& node) {
  const double sx = p.type(node.inputs[0]).quant->scale();
  const double sy = p.type(node.outputs[0]).quant->scale();
  for (double sw : weight(p, node).type.quant->scales)
    if (!quant::make_rescale(sx * sw / sy))
      return not_integer(p, node,
                         fmt::format("input scale {} * weight scale {} / output scale {} is not below 2^{}", sx, sw, sy,
                                     quant::kMaxLeftShift));
  return ok;
}

}  // namespace

Result<> integerize_weighted(Program& p, Node& node) {
  F8_CHECK(check_operands(p, node));
  F8_CHECK(integerize_bias(p, node));
  F8_CHECK(check_accumulators(p, node));
  return check_scales(p, node);
}

std::vector<int32_t> kernel_sums(const Program& p, const Node& node) {
  const Rows rows = weight_rows(p, node);
  const int64_t zero = p.type(node.inputs[0]).quant->zero;
  std::vector<int32_t> sums;
  for (size_t o = 0; o < rows.outs; ++o) {
    int64_t sum = has_bias(node) ? bias_of(p, node).constant->as<int32_t>()[o] : 0;
    for (int8_t w : rows.row(o)) sum -= zero * w;
    sums.push_back(static_cast<int32_t>(sum));  // fits: check_accumulators
  }
  return sums;
}

std::vector<quant::Rescale> rescales(const Program& p, const Node& node) {
  const double sx = p.type(node.inputs[0]).quant->scale();
  const double sy = p.type(node.outputs[0]).quant->scale();
  std::vector<quant::Rescale> list;
  for (double sw : weight(p, node).type.quant->scales) list.push_back(*quant::make_rescale(sx * sw / sy));
  return list;
}

void replace_by_packed(Program& p, Node& node, const std::vector<int8_t>& packed) {
  const auto constant = [&](const std::string& name, Elem elem, const auto& data) {
    const Shape shape = {static_cast<int64_t>(data.size())};
    return p.add_constant(name, {elem, shape, {}}, make_tensor(elem, shape, data));
  };
  const ValueId sum = constant(node.name + ".kernel_sum", Elem::i32, kernel_sums(p, node));
  const ValueId rescale = constant(node.name + ".rescale", Elem::rescale, rescales(p, node));
  node.inputs = {node.inputs[0], constant(p[node.inputs[1]].name + ".packed", Elem::i8, packed), sum, rescale};
}

target::Matrix stream_matrix(const Program& p, const Node& node, int64_t first, int64_t outs, int64_t ins) {
  const std::vector<int32_t> sums = kernel_sums(p, node);
  const std::vector<quant::Rescale> scale = rescales(p, node);
  target::Matrix m{outs, ins, std::vector<int8_t>(static_cast<size_t>(outs * ins)),
                   {},   {},  p.type(node.outputs[0]).quant->zero};
  for (int64_t o = first; o < first + outs; ++o) {
    m.sums.push_back(sums[static_cast<size_t>(o)]);
    m.rescales.push_back(scale[scale.size() == 1 ? 0 : static_cast<size_t>(o)]);
  }
  return m;
}

const target::StreamFormat* chosen_streams(Node& node, const target::Target& target, target::Prefer prefer) {
  const target::StreamFormat* format = target::stream_format(target.isa);
  if (format == nullptr || prefer == target::Prefer::speed) return format;
  node.attrs.set("why", "size is preferred");
  return nullptr;
}

bool replace_by_streams(Program& p, Node& node, const target::Target& target,
                        const std::vector<target::Matrix>& matrices,
                        const std::function<target::Stream(const target::Matrix&)>& pack) {
  std::vector<int32_t> words;
  for (const target::Matrix& matrix : matrices) {
    const target::Stream stream = pack(matrix);
    if (!stream.why_not.empty()) {
      node.attrs.set("why", stream.why_not);
      return false;
    }
    words.insert(words.end(), stream.words.begin(), stream.words.end());
  }
  const Shape shape = {static_cast<int64_t>(words.size())};
  node.inputs = {node.inputs[0], p.add_constant(p[node.inputs[1]].name + ".stream", {Elem::i32, shape, {}},
                                                make_tensor(Elem::i32, shape, words))};
  node.attrs.set("stream", target.isa);
  return true;
}

}  // namespace fold8::ops
