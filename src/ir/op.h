// What a stage may know of an op. An op is one constexpr OpDef in its own folder; ops.list names them all.
#pragma once

#include <span>
#include <string_view>

#include "ir/import.h"
#include "ir/kernel_call.h"
#include "ir/program.h"

namespace fold8::target {
struct Target;
}

namespace fold8::ir {

// Facts that passes ask for instead of names.
namespace trait {
inline constexpr unsigned is_quantize = 1u << 0;        // f32 -> q8
inline constexpr unsigned is_dequantize = 1u << 1;      // q8 -> f32
inline constexpr unsigned is_clamp = 1u << 2;           // attrs min, max; y = clamp(x)
inline constexpr unsigned fuses_clamp = 1u << 3;        // attr clamp=[lo,hi] costs nothing
inline constexpr unsigned shape_only = 1u << 4;         // output is the input's bytes under another shape
inline constexpr unsigned moves_data = 1u << 5;         // every output element is an input element (or a constant given in
                                                        // reals): commutes with quantization, shares its parameters
inline constexpr unsigned is_requantize = 1u << 6;      // q8 -> q8 with other parameters, one operand, no arithmetic else
inline constexpr unsigned shares_parameters = 1u << 8;  // result and operand 0 have one scale and zero point
inline constexpr unsigned elementwise = 1u << 7;        // result element i depends on operand elements i only: may overwrite
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

// One execution of a node by the interpreter. Absent operands are null. Outputs are allocated, not initialised.
struct Evaluation {
  const Program& program;
  const Node& node;
  std::vector<const Tensor*> in;
  std::vector<Tensor*> out;

  const Type& in_type(size_t i) const { return program.type(node.inputs[i]); }
  const Type& out_type(size_t i) const { return program.type(node.outputs[i]); }
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

  // int8 -> packed: replaces constants by what `target`'s kernel reads. Null when operands are already that.
  Result<> (*pack)(Program&, Node&, const target::Target&) = nullptr;

  // Pairs of operand and result that may be the same bytes, so that nothing need move. Null: none. plan/ grants what it
  // can; calls() sees from the offsets what was granted.
  std::vector<Overlay> (*overlays)(const Program&, const Node&) = nullptr;

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
