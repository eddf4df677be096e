// The program: one SSA graph in topological order, in one of four forms. docs/ir.md describes the text form.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "ir/type.h"

namespace fold8::ir {

struct OpDef;

// torch:  aten ops over f32 with quantize/dequantize nodes, as read.
// int8:   integer ops; quantization parameters stand on the operands; quantize/dequantize only at the program's ends.
// packed: operands as the target's kernels read them: weight order, kernel_sum, rescale tables, fused clamps.
// placed: every value has an offset in the arena.
enum class Form { torch, int8, packed, placed };
const char* form_name(Form form);
std::optional<Form> form_from_name(std::string_view name);

enum class ValueId : int32_t { none = -1 };  // index into Program::values; `none` = an absent optional operand

// Whose memory an input or output of the program is: the arena's, or a buffer of the caller's own. The caller's inputs
// stay as they are, unless they are `consumed`: then the program may write over them.
enum class Buffer { arena, caller, consumed };

struct Value {
  std::string name = {};  // unique in the program
  Type type = {};
  TensorPtr constant = {};             // set for weights, null for activations
  std::optional<int64_t> offset = {};  // placed form, activations only: bytes from the start of the arena; in a buffer
                                       // of the caller's: plan/buffers.h
  Buffer buffer = Buffer::arena;    // inputs and outputs
  std::vector<int64_t> order = {};  // inputs: the exported dimensions in the order the caller hands them over, which
                                    // `type` already has; empty: as exported
  bool is_constant() const { return constant != nullptr; }
};

using Attr = std::variant<int64_t, double, std::vector<int64_t>, std::string>;

// Few, so a sorted list: printing order is by name.
class Attrs {
 public:
  void set(std::string_view key, Attr value);
  void erase(std::string_view key);
  const Attr* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The attribute, which must be there and of that kind (the verifier's infer() has seen to it).
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  const std::vector<std::pair<std::string, Attr>>& all() const { return list_; }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<std::pair<std::string, Attr>> list_;
};

struct Node {
  const OpDef* op = nullptr;
  std::string name;  // unique; the fx node's name where it came from an archive
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attrs attrs;
  std::vector<Place> places;  // every Python line this node stands for

  Place place() const { return places.empty() ? Place{} : places.front(); }
};

class Program {
 public:
  std::string name;
  std::string file;  // the model file, for diagnostics
  Form form = Form::torch;
  std::vector<Value> values;
  std::vector<Node> nodes;  // in an order in which every operand is defined before its use
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  Value& operator[](ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& operator[](ValueId id) const { return values[static_cast<size_t>(id)]; }
  const Type& type(ValueId id) const { return (*this)[id].type; }

  // Adds a value; a name that is taken gets a suffix ".1", ".2", ...
  ValueId add_value(std::string name, Type type);
  ValueId add_constant(std::string name, Type type, TensorPtr data);

  ValueId find(std::string_view name) const;  // none if there is no such value
  Node* producer(ValueId id);                 // null for inputs and constants
  const Node* producer(ValueId id) const;
  std::vector<Node*> users(ValueId id);  // each node once, in program order
  bool is_output(ValueId id) const;
  // The node that alone reads `id`, null if several do, none does, or it is an output of the program.
  Node* sole_user(ValueId id);
  void replace_uses(ValueId from, ValueId to);  // in nodes and outputs
  void erase_nodes(const std::function<bool(const Node&)>& doomed);

  // A diagnostic at `node`, with this program's file.
  Diag error_at(const Node& node, std::string code, std::string message) const;

  // Drops values that nothing mentions and renumbers the rest. Invalidates every ValueId held elsewhere.
  void compact();
};

}  // namespace fold8::ir
