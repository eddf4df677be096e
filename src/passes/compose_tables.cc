// Real form. Elementwise ops between quantizations that depend on one quantized value alone, element by element, are a
// function of 256 values: the chain becomes one table, exact by construction. Each entry is evaluated in double, and
// quantized once; a quantization inside the chain is part of the function.
//   x -> dequantize -> sigmoid -> q -> dq -> mul(dequantize(x), .) -> quantize    =>    table(x)
// Constants may differ along one dimension: then each of its indices has a table of its own.
//
// A float result of such a chain that no quantize follows gets one, by the op's fixed range or by all that it can be.
// Reported. Values that others read as well are kept, and chains begin at them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "ir/infer.h"
#include "ir/reals.h"
#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

constexpr int64_t kEntries = 256;
constexpr int64_t kMostChannels = 16;  // 4 KB of tables, where the ops have integer forms of their own

// The quantized value that a value is a function of. axis: the dimension along which constants differ, -1 if none do.
struct Source {
  ValueId q8 = ValueId::none;
  int axis = -1;
};

bool is_real(const Node* node) {
  return node != nullptr && node->op->real != nullptr && node->outputs.size() == 1;
}

// The one axis out of two; nullopt if they differ.
std::optional<int> common_axis(int a, int b) {
  if (a == -1 || a == b) return b;
  if (b == -1) return a;
  return std::nullopt;
}

// The dimension of `to` along which a constant of shape `from` differs; -1: it is one number; nullopt: along several.
std::optional<int> axis_of(const std::vector<double>& reals, const Shape& from, const Shape& to) {
  const auto is_first = [&](double r) { return r == reals[0]; };
  if (std::ranges::all_of(reals, is_first)) return -1;
  for (size_t d = 0; d < from.size(); ++d) {
    int64_t inner = 1;
    for (size_t i = d + 1; i < from.size(); ++i) inner *= from[i];
    bool fits = true;
    for (size_t i = 0; fits && i < reals.size(); ++i)
      fits = reals[i] == reals[static_cast<size_t>(static_cast<int64_t>(i) / inner % from[d] * inner)];
    if (fits) return static_cast<int>(to.size() - from.size() + d);
  }
  return std::nullopt;
}

double quantized(double real, const Quant& q, const Bounds& bounds) {
  if (std::isnan(real)) return std::clamp(q.zero, bounds.lo, bounds.hi);
  return std::clamp<double>(std::nearbyint(real / q.scale()) + q.zero, bounds.lo, bounds.hi);
}

// Who makes each value, who reads it, and what it is a function of.
class Chains {
 public:
  Chains(const Program& p, const CoreOps& core) : p_(p), core_(core), sources_(p.values.size()) {
    for (const Node& node : p.nodes) trace(node);
  }

  bool is_quantize(const Node* node) const { return node != nullptr && node->op == core_.quantize; }
  bool is_dequantize(const Node* node) const { return node != nullptr && node->op == core_.dequantize; }
  // The nearest first. Empty: it is no function of one quantized value.
  const std::vector<Source>& sources(ValueId id) const { return sources_[id]; }

  // Whether the float `id` needs no quantize beyond those that are there.
  bool in_chain(const Node& reader) const {
    return is_quantize(&reader) || (is_real(&reader) && !sources(reader.outputs[0]).empty());
  }

  // The reals of a constant, also behind its dequantize.
  std::optional<std::vector<double>> reals(ValueId id) const {
    if (p_[id].is_constant()) return real_values(p_[id]);
    const Node* above = p_.producer(id);
    if (!is_dequantize(above) || !p_[above->inputs[0]].is_constant()) return std::nullopt;
    return real_values(p_[above->inputs[0]]);
  }

 private:
  void trace(const Node& node) {
    if (node.outputs.size() != 1) return;
    std::vector<Source>& result = sources_[node.outputs[0]];
    if (is_quantize(&node)) {
      const Type& type = p_.type(node.outputs[0]);
      if (!type.is_q8() || !type.quant->is_per_tensor()) return;
      result = {Source{node.outputs[0], -1}};
      const auto& deeper = sources(node.inputs[0]);
      result.insert(result.end(), deeper.begin(), deeper.end());
    } else if (is_dequantize(&node)) {
      const Value& x = p_[node.inputs[0]];
      if (x.is_constant() || !x.type.is_q8() || !x.type.quant->is_per_tensor()) return;
      result = sources(node.inputs[0]).empty() ? std::vector<Source>{{node.inputs[0], -1}} : sources(node.inputs[0]);
    } else if (is_real(&node)) {
      result = sources_of(node);
    }
  }

  std::vector<Source> sources_of(const Node& node) const {
    const Shape& shape = p_.type(node.outputs[0]).shape;
    std::optional<std::vector<Source>> common;
    int axis = -1;
    for (ValueId id : node.inputs) {
      if (id == ValueId::none) return {};
      if (const auto constant = reals(id)) {
        const auto along = constant->empty() ? std::nullopt : axis_of(*constant, p_.type(id).shape, shape);
        const auto both = along ? common_axis(axis, *along) : std::nullopt;
        if (!both) return {};
        axis = *both;
      } else if (p_.type(id).shape != shape) {
        return {};
      } else {
        common = common ? in_both(*common, sources(id)) : sources(id);
      }
    }
    std::vector<Source> result;
    for (const Source& s : common.value_or(std::vector<Source>{}))
      if (const auto both = common_axis(s.axis, axis)) result.push_back({s.q8, *both});
    return result;
  }

  static std::vector<Source> in_both(const std::vector<Source>& a, const std::vector<Source>& b) {
    std::vector<Source> result;
    for (const Source& s : a)
      for (const Source& t : b)
        if (s.q8 == t.q8)
          if (const auto axis = common_axis(s.axis, t.axis)) result.push_back({s.q8, *axis});
    return result;
  }

  const Program& p_;
  const CoreOps& core_;
  IndexedVector<ValueId, std::vector<Source>> sources_;
};

// Evaluates values for each of the 256 that their source can be, channel after channel. A quantized value counts as its
// integers.
class Evaluator {
 public:
  Evaluator(const Program& p, const Chains& chains, const Source& source)
      : p_(p), chains_(chains), source_(source), channels_(source.axis < 0 ? 1 : shape()[static_cast<size_t>(source.axis)]) {
    std::vector<double>& all = known_[source.q8];
    for (int64_t i = 0; i < channels_ * kEntries; ++i) all.push_back(static_cast<double>(i % kEntries - 128));
  }

  int64_t channels() const { return channels_; }

  const std::vector<double>& values(ValueId id) {
    if (const auto found = known_.find(id); found != known_.end()) return found->second;
    std::vector<double> result = compute(id);
    return known_[id] = std::move(result);
  }

  // The nodes whose results were needed.
  const std::vector<const Node*>& nodes() const { return nodes_; }

 private:
  const Shape& shape() const { return p_.type(source_.q8).shape; }

  std::vector<double> compute(ValueId id) {
    if (const auto reals = chains_.reals(id)) return constant(id, *reals);
    const Node& node = *p_.producer(id);
    if (chains_.is_dequantize(&node)) {
      const Quant& q = *p_.type(node.inputs[0]).quant;
      std::vector<double> x = values(node.inputs[0]);
      for (double& v : x) v = (v - q.zero) * q.scale();
      return x;
    }
    if (chains_.is_quantize(&node)) {
      std::vector<double> x = values(node.inputs[0]);
      for (double& v : x) v = quantized(v, *p_.type(id).quant, clamp_bounds(node));
      return x;
    }
    return apply(node);
  }

  std::vector<double> constant(ValueId id, const std::vector<double>& reals) const {
    const Shape& from = p_.type(id).shape;
    int64_t inner = 1;  // elements of the result from one index of the axis to the next
    for (size_t i = static_cast<size_t>(source_.axis + 1); source_.axis >= 0 && i < shape().size(); ++i)
      inner *= shape()[i];
    std::vector<double> result;
    for (int64_t c = 0; c < channels_; ++c)
      result.insert(result.end(), kEntries, reals[static_cast<size_t>(broadcast_index(from, shape(), c * inner))]);
    return result;
  }

  std::vector<double> apply(const Node& node) {
    std::vector<const std::vector<double>*> operands;
    for (ValueId id : node.inputs) operands.push_back(&values(id));
    nodes_.push_back(&node);
    std::vector<double> result;
    std::vector<double> x(operands.size());
    for (size_t i = 0; i < operands[0]->size(); ++i) {
      for (size_t k = 0; k < x.size(); ++k) x[k] = (*operands[k])[i];
      double y = node.op->real(node, x);
      if (node.op->has(trait::fuses_clamp) && node.attrs.has("min"))
        y = std::min(std::max(y, node.attrs.number("min")), node.attrs.number("max"));
      result.push_back(y);
    }
    return result;
  }

  const Program& p_;
  const Chains& chains_;
  const Source source_;
  int64_t channels_;
  std::map<ValueId, std::vector<double>> known_;
  std::vector<const Node*> nodes_;
};

class Composer {
 public:
  Composer(Program& p, Context& context) : p_(p), context_(context) {}

  // A quantize for each float at the end of a chain that somebody reads in float.
  void quantize_floats() {
    const Chains chains(p_, context_.core);
    std::vector<std::pair<ValueId, Quant>> found;
    for (const Node& node : p_.nodes) {
      if (!is_real(&node) || chains.sources(node.outputs[0]).empty() || !read_in_float(chains, node.outputs[0])) continue;
      if (const auto quant = range_of(chains, node)) found.emplace_back(node.outputs[0], *quant);
    }
    for (const auto& [id, quant] : found) insert_pair(id, quant);
  }

  void make_tables() {
    const Chains chains(p_, context_.core);
    find_kept(chains);
    std::vector<std::pair<size_t, Node>> made;
    for (size_t i = 0; i < p_.nodes.size(); ++i)
      if (chains.is_quantize(&p_.nodes[i]) && kept_.contains(p_.nodes[i].outputs[0]))
        if (auto table = table_for(chains, p_.nodes[i])) made.emplace_back(i, std::move(*table));
    for (auto& [i, node] : made) p_.nodes[i] = std::move(node);
  }

 private:
  bool read_in_float(const Chains& chains, ValueId id) const {
    return p_.is_output(id) ||
           std::ranges::any_of(std::as_const(p_).users(id), [&](const Node* reader) { return !chains.in_chain(*reader); });
  }

  // What all results of `node` are quantized with; nullopt where its range is too wide to tell.
  std::optional<Quant> range_of(const Chains& chains, const Node& node) const {
    const auto fixed = node.op->quant.fixed == nullptr ? std::nullopt : node.op->quant.fixed(node);
    if (fixed) return Quant::per_tensor(fixed->scale, fixed->zero);
    Evaluator evaluator(p_, chains, chains.sources(node.outputs[0]).front());
    double lo = 0;
    double hi = 0;
    for (double y : evaluator.values(node.outputs[0])) {
      if (!std::isfinite(y)) return std::nullopt;
      lo = std::min(lo, y);
      hi = std::max(hi, y);
    }
    const double scale = (hi - lo) / 255;
    if (!(scale >= 0x1p-100 && scale <= 0x1p100)) return std::nullopt;
    return Quant::per_tensor(scale, static_cast<int32_t>(std::clamp(-128 - std::nearbyint(lo / scale), -128.0, 127.0)));
  }

  // After its producer; readers outside chains read the quantized value.
  void insert_pair(ValueId id, const Quant& quant) {
    const Node maker = *p_.producer(id);
    const size_t next = p_.nodes.index_of(*p_.producer(id)) + 1;
    const std::string name = p_[id].name;
    Diag report = p_.error_at(maker, "F8-0307",
                              fmt::format("%{} is not quantized by the model; it is quantized with scale {} and zero "
                                          "point {}", name, quant.scale(), quant.zero));
    report.severity = Severity::note;
    context_.reports.push_back(std::move(report));
    const Shape shape = p_.type(id).shape;
    const ValueId q = p_.add_value(name + ".q", {Elem::i8, shape, quant});
    const ValueId dq = p_.add_value(name + ".dq", f32(shape));
    p_.replace_uses(id, dq);
    p_.nodes.insert(next, Node{context_.core.quantize, name + ".q", {id}, {q}, {}, maker.places});
    p_.nodes.insert(next + 1, Node{context_.core.dequantize, name + ".dq", {q}, {dq}, {}, maker.places});
  }

  // Quantized values that something other than a chain reads, or that no chain makes.
  void find_kept(const Chains& chains) {
    for (ValueId id : p_.values.keys()) {
      if (!p_.type(id).is_q8() || p_[id].is_constant()) continue;
      bool kept = chains.sources(id).size() <= 1 || p_.is_output(id);
      for (const Node* reader : std::as_const(p_).users(id)) {
        if (!chains.is_dequantize(reader)) {
          kept = true;
          continue;
        }
        const ValueId real = reader->outputs[0];
        kept = kept || read_in_float(chains, real);
      }
      if (kept) kept_.insert(id);
    }
  }

  std::optional<Node> table_for(const Chains& chains, const Node& quantize) {
    const auto& sources = chains.sources(quantize.inputs[0]);
    if (sources.empty()) return std::nullopt;
    const auto nearest = std::ranges::find_if(sources, [&](const Source& s) { return kept_.contains(s.q8); });
    const Source source = nearest == sources.end() ? sources.back() : *nearest;
    Evaluator evaluator(p_, chains, source);
    std::vector<double> entries = evaluator.values(quantize.outputs[0]);
    if (!pays(evaluator)) return std::nullopt;
    Node node{context_.core.lut, quantize.name, {source.q8}, quantize.outputs, {}, quantize.places};
    if (p_.nodes.sole_user(quantize.inputs[0]) != nullptr) node.name = p_.producer(quantize.inputs[0])->name;
    for (const Node* part : evaluator.nodes())
      node.places.insert(node.places.end(), part->places.begin(), part->places.end());
    node.inputs.push_back(add_table(node.name, source, entries, evaluator.channels()));
    return node;
  }

  // One op that has an integer form of its own does without; so do several, where their tables would be large.
  bool pays(const Evaluator& evaluator) const {
    const auto& nodes = evaluator.nodes();
    if (std::ranges::any_of(nodes, [&](const Node* node) { return node->op == context_.core.lut; })) return true;
    return nodes.size() >= 2 && evaluator.channels() <= kMostChannels;
  }

  ValueId add_table(const std::string& name, const Source& source, const std::vector<double>& entries, int64_t channels) {
    bool alike = true;
    for (size_t i = kEntries; alike && i < entries.size(); ++i) alike = entries[i] == entries[i - kEntries];
    if (alike) channels = 1;
    Shape shape = {kEntries};
    const Shape& x = p_.type(source.q8).shape;
    if (channels == 1) {
      shape.push_back(1);
    } else {
      for (size_t i = static_cast<size_t>(source.axis); i < x.size(); ++i)
        shape.push_back(static_cast<int>(i) == source.axis ? channels : 1);
    }
    std::vector<int8_t> data;
    for (int64_t v = 0; v < kEntries; ++v)
      for (int64_t c = 0; c < channels; ++c)
        data.push_back(static_cast<int8_t>(entries[static_cast<size_t>(c * kEntries + v)]));
    return p_.add_constant(name + ".table", {Elem::i8, shape, {}}, make_tensor(Elem::i8, shape, data));
  }

  Program& p_;
  Context& context_;
  std::set<ValueId> kept_;
};

}  // namespace

Result<> compose_tables(Program& p, Context& context) {
  Composer composer(p, context);
  composer.quantize_floats();
  composer.make_tables();
  return drop_dead(p, context);
}

}  // namespace fold8::passes
