// What a stage may know of an op. An op is one constexpr OpDef in its own folder; ops.list names them all.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ir/access.h"
#include "ir/import.h"
#include "ir/kernel_call.h"
#include "ir/program.h"

namespace fold8::target {
struct CompileOptions;
}

namespace fold8::ir {

// Facts that passes ask for instead of names.
namespace trait {
inline constexpr unsigned converts_reals = 1u << 0;  // between f32 and integers: at the program's ends
inline constexpr unsigned fuses_clamp = 1u << 1;     // attr clamp=[lo,hi] costs nothing
inline constexpr unsigned channels_last =
    1u << 2;  // operand 0 and result are [N,C,H,W]; with the attribute layout="nhwc" they
              // are [N,H,W,C], which is what its kernel takes. Weights stay [O,I,H,W]
inline constexpr unsigned channelwise = 1u << 3;  // channel c of the result sees channel c of each operand alone, and no
                                                  // attribute counts channels (last dimension, as laid out)
}  // namespace trait

// One execution of a node by the interpreter. Absent operands are null. Outputs are allocated, not initialised.
struct Evaluation {
  const Program& program;
  const Node& node;
  std::vector<const Tensor*> in;
  std::vector<Tensor*> out;

  const Type& in_type(size_t i) const { return program.type(node.inputs[i]); }
  const Type& out_type(size_t i) const { return program.type(node.outputs[i]); }
};

// Bounds of an int8, both included.
struct Range {
  int32_t lo = -128;
  int32_t hi = 127;
};

// How a weighted op treats channels: the last dimension of operand 0 and of the result, once the layout is assigned.
// `ins`, `outs` below are the channels to keep, ascending.
struct ChannelHooks {
  // Whether channel c of the result sees channel c of the operand alone (depthwise).
  bool (*channelwise)(const Program&, const Node&);
  // Bounds of each result channel, given those of each operand channel.
  std::vector<Range> (*results)(const Program&, const Node&, const std::vector<Range>& x);
  // Operand channels that some weight other than 0 reads.
  std::vector<bool> (*needs)(const Program&, const Node&);
  // Whether an operand channel that always holds `value` can become part of the bias, borders included.
  bool (*folds)(const Program&, const Node&, int8_t value);
  // Keeps those channels; a dropped operand channel c was always constants[c] (if needed) and goes into the bias.
  void (*keep)(Program&, Node&, const std::vector<int64_t>& ins, const std::vector<int64_t>& outs,
               const std::vector<std::optional<int8_t>>& constants);
};

// Scale and zero point of a result whose range is known without calibration.
struct FixedResult {
  double scale = 1;
  int32_t zero = 0;
};

// The scale and zero point of a result.
enum class Parameters {
  own,
  shared,    // those of each operand
  monotone,  // shared; result elements are the largest of some operand elements, so the op commutes with quantization
  moved,     // monotone; each is an operand element, or a constant given in reals
};

// The operand of a weighted op that holds constant weights, and its bias or none. Of scale s along the axis of output
// channels and zero point 0; a bias of scale sx * s, where x is operand 0.
struct WeightRule {
  size_t operand = 1;
  int axis = 0;
  size_t bias = 2;
};

// How an op treats quantization.
struct QuantRule {
  Parameters result = Parameters::own;
  // What the result is quantized with where it leaves the model in float. Null, or nullopt: its range is not known.
  std::optional<FixedResult> (*fixed)(const Node&) = nullptr;
  std::optional<WeightRule> weights = std::nullopt;

  constexpr bool shares() const { return result >= Parameters::shared; }
  constexpr bool commutes() const { return result >= Parameters::monotone; }
  constexpr bool moves() const { return result == Parameters::moved; }
};

struct OpDef {
  std::string_view name;
  unsigned traits = 0;
  QuantRule quant = {};
  Access access = {};

  // How exported graphs spell it. Empty for ops that only passes make.
  std::span<const ImportRow> imports = {};

  // Output element kinds and shapes from the operands and attributes, or what is wrong with them. The quantization of
  // an output is not inferred: it is data.
  Result<std::vector<Type>> (*infer)(const Program&, const Node&) = nullptr;

  // torch -> int8, called once operands and results carry int8 types: checks what integers cannot do and converts
  // what is still real (a float bias, a clamp's bounds). Null when there is nothing to do.
  Result<> (*integerize)(Program&, Node&) = nullptr;

  // Elementwise ops, in reals: an element of the result from the elements of the operands that broadcast to it, before
  // any fused clamp. Chains of such ops that start at one quantized value become a table. Null: it has no such form.
  double (*real)(const Node&, std::span<const double> operands) = nullptr;

  // The meaning, in int8, packed and placed form (and torch form for ops on the program's ends).
  void (*evaluate)(const Evaluation&) = nullptr;

  // How a permutation of the operands passes to the result: op(permute(x, dims)...) = permute(op'(x...), returned
  // dims). Called when every activation operand is a permute by `dims`: rewrites attributes and constant operands of
  // `node` into those of op' (the caller then rewires the operands). nullopt: it cannot, and nothing was changed. Null:
  // never can.
  std::optional<std::vector<int64_t>> (*permute_through)(Program&, Node&, const std::vector<int64_t>& dims) = nullptr;

  // Operand 0 is to be read with its last dimension in another order: element k of that dimension becomes element
  // to[k]. Rewrites the constants so that the result is the same. Null: cannot.
  void (*reorder_features)(Program&, Node&, const std::vector<int64_t>& to) = nullptr;

  // Weighted ops: what the pass that drops channels needs to know. Null: channels stay.
  const ChannelHooks* channels = nullptr;

  // Rewrites around this op alone, in torch and int8 form, to something the later passes know better (a batch norm into
  // the weights before it, a pad into the op after it). True if it changed the program. Null: none.
  Result<bool> (*simplify)(Program&, Node&) = nullptr;

  // int8 -> packed: replaces constants by what `target`'s kernel reads; the user's options count here alone. Null when
  // operands are already that.
  Result<> (*pack)(Program&, Node&, const target::Target&, const target::CompileOptions&) = nullptr;

  // The kernel as an object that makes one output row at a time, for running ops row by row in turns. Nullopt: this
  // node cannot. Null: never can.
  std::optional<KernelCall> (*rows)(const Program&, const Node&, const target::Target&) = nullptr;

  // The device functions to call, in placed form. None where no byte has to move.
  std::vector<KernelCall> (*calls)(const Program&, const Node&, const target::Target&) = nullptr;

  // Bytes of arena the kernel needs while it runs, beyond operands and results. Null: none, ever.
  int64_t (*scratch_bytes)(const Program&, const Node&, const target::Target&) = nullptr;

  // Multiplications of one int8 by one int8. Null: none.
  int64_t (*macs)(const Program&, const Node&) = nullptr;

  constexpr bool has(unsigned trait_bits) const { return (traits & trait_bits) != 0; }
};

// What a definition claims and does not have; empty if nothing.
constexpr std::string_view missing(const OpDef& op) {
  if (op.name.empty() || op.infer == nullptr || op.evaluate == nullptr || op.calls == nullptr)
    return "a name, infer, evaluate and calls";
  if (op.rows != nullptr && !op.access.elementwise && !op.access.trails()) return "the order of what rows() touches";
  if (op.access.elementwise && op.access.windows != nullptr) return "one kind of access";
  if (op.quant.weights && (op.integerize == nullptr || op.macs == nullptr)) return "checks and a count of its weights";
  if (op.channels != nullptr && !op.quant.weights) return "weights that lose channels";
  if (op.quant.shares() && (op.quant.fixed != nullptr || op.quant.weights)) return "parameters of its own";
  if (op.quant.moves() && (op.pack != nullptr || op.macs != nullptr || op.has(trait::fuses_clamp)))
    return "results that it only moves";
  return "";
}

// For static_assert beside each definition.
consteval bool complete(const OpDef& op) { return missing(op).empty(); }

// All ops, as driver/ hands them to readers, parser and passes.
using OpTable = std::span<const OpDef* const>;
const OpDef* find_op(OpTable ops, std::string_view name);

}  // namespace fold8::ir
