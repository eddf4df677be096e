// What a stage may know of an op. An op is one constexpr OpDef in its own folder; ops.list names them all.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "ir/import.h"
#include "ir/kernel_call.h"
#include "ir/program.h"

namespace fold8::target {
struct Target;
struct CompileOptions;
}

namespace fold8::ir {

// Facts that passes ask for instead of names.
namespace trait {
inline constexpr unsigned converts_reals = 1u << 0;  // between f32 and integers: at the program's ends
inline constexpr unsigned fuses_clamp = 1u << 3;    // attr clamp=[lo,hi] costs nothing
inline constexpr unsigned shape_only = 1u << 4;     // output is the input's bytes under another shape
inline constexpr unsigned moves_data = 1u << 5;     // every output element is an input element (or a constant given in
                                                    // reals): commutes with quantization, shares its parameters
inline constexpr unsigned shares_parameters = 1u << 8;  // result and operand 0 have one scale and zero point
inline constexpr unsigned channels_last =
    1u << 9;  // operand 0 and result are [N,C,H,W]; with the attribute layout="nhwc" they
              // are [N,H,W,C], which is what its kernel takes. Weights stay [O,I,H,W]
inline constexpr unsigned weighted = 1u << 10;    // operands x, weight (output channels on its axis 0), bias or none
inline constexpr unsigned channelwise = 1u
                                        << 13;  // channel c of the result sees channel c of each operand alone, and no
                                                // attribute but "shape" counts channels (last dimension, as laid out)
inline constexpr unsigned monotone = 1u << 14;  // result elements are the largest of some operand elements: commutes
                                                // with quantization like a mover, but is no copy of its operand
inline constexpr unsigned elementwise = 1u << 7;  // result element i depends on operand elements i only: may overwrite
                                                  // an operand of its own size that nobody reads later
}  // namespace trait

// A result that can lie in an operand's bytes, or an operand in a result's: address(result) = address(operand) + delta.
// A reshape has delta 0, a slice of the outermost dimension a positive one, operand k of a concatenation along it the
// negative sum of the sizes before it. The shared bytes hold the same data in both.
struct Overlay {
  size_t operand = 0;
  size_t result = 0;
  int64_t delta_bytes = 0;
};

// One access of a kernel to bytes [begin, end) of an operand or a result. Of what a step touches, all is read before
// anything is written.
struct Touch {
  int64_t step = 0;  // ascending
  bool write = false;
  size_t index = 0;  // of the operand or the result
  int64_t begin = 0;
  int64_t end = 0;
};

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

// Windows along one dimension of an image: result i sees operand elements i * stride - before + k * dilation, k < kernel.
struct WindowAxis {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t before = 0;
};

// Of rows and columns. The node's attribute pad=[top,bottom,left,right] holds `before`, and what lies behind.
struct Windows {
  std::array<WindowAxis, 2> axes;
  bool crops = false;  // padding may be negative: the windows then begin, or end, inside the operand
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

struct OpDef {
  std::string_view name;
  unsigned traits = 0;

  // How exported graphs spell it. Empty for ops that only passes make.
  std::span<const ImportRow> imports = {};

  // Output element kinds and shapes from the operands and attributes, or what is wrong with them. The quantization of
  // an output is not inferred: it is data.
  Result<std::vector<Type>> (*infer)(const Program&, const Node&) = nullptr;

  // torch -> int8, called once operands and results carry int8 types: checks what integers cannot do and converts
  // what is still real (a float bias, a clamp's bounds). Null when there is nothing to do.
  Result<> (*integerize)(Program&, Node&) = nullptr;

  // The meaning, in int8, packed and placed form (and torch form for ops on the program's ends).
  void (*evaluate)(const Evaluation&) = nullptr;

  // Of ops that slide windows over operand 0, an image with channels last. Nullopt: this node's are not of that kind.
  // Null: none.
  std::optional<Windows> (*windows)(const Program&, const Node&) = nullptr;

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

  // What the result is quantized with where it leaves the model in float. Nullopt: that is an error.
  std::optional<FixedResult> fixed_result = std::nullopt;

  // Rewrites around this op alone, in torch and int8 form, to something the later passes know better (a batch norm into
  // the weights before it, a pad into the op after it). True if it changed the program. Null: none.
  Result<bool> (*simplify)(Program&, Node&) = nullptr;

  // int8 -> packed: replaces constants by what `target`'s kernel reads; the user's options count here alone. Null when
  // operands are already that.
  Result<> (*pack)(Program&, Node&, const target::Target&, const target::CompileOptions&) = nullptr;

  // Pairs of operand and result that may be the same bytes, so that nothing need move. Null: none. plan/ grants what it
  // can; calls() sees from the offsets what was granted.
  std::vector<Overlay> (*overlays)(const Program&, const Node&) = nullptr;

  // The order in which the kernel reads its operands and writes its results: of output row `row` alone (images of one,
  // channels last), or of everything. From it follows how close a result may trail its operand. Null: any order.
  std::vector<Touch> (*touches)(const Program&, const Node&, const target::Target&,
                                std::optional<int64_t> row) = nullptr;

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

// For static_assert beside each definition: a forgotten hook does not compile.
consteval bool complete(const OpDef& op) {
  return !op.name.empty() && op.infer != nullptr && op.evaluate != nullptr && op.calls != nullptr;
}

// All ops, as driver/ hands them to readers, parser and passes.
using OpTable = std::span<const OpDef* const>;
const OpDef* find_op(OpTable ops, std::string_view name);

}  // namespace fold8::ir
