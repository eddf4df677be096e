// The program: one SSA graph in topological order, in one of four forms. docs/ir.md describes the text form.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/indexed_vector.h"
#include "base/result.h"
#include "ir/node.h"
#include "ir/type.h"

namespace fold8::ir {

// torch:  aten ops over f32 with quantize/dequantize nodes, as read.
// int8:   integer ops; quantization parameters stand on the operands; quantize/dequantize only at the program's ends.
// packed: operands as the target's kernels read them: weight order, kernel_sum, rescale tables, fused clamps.
// placed: every value has an offset in the arena.
enum class Form { torch, int8, packed, placed };
const char* form_name(Form form);
std::optional<Form> form_from_name(std::string_view name);

// Whose memory an input or output of the program is: the arena's, or a buffer of the caller's own. The caller's inputs
// stay as they are, unless they are `consumed`: then the program may write over them.
enum class Buffer { arena, caller, consumed };

// A value's name. It changes by Program's methods only, which keep names apart and find values by them.
class Name {
 public:
  Name() = default;
  Name(const Name&) = default;
  Name(Name&&) = default;
  operator const std::string&() const { return text_; }  // NOLINT: implicit on purpose
  operator std::string_view() const { return text_; }    // NOLINT
  const std::string& text() const { return text_; }
  friend bool operator==(const Name& a, std::string_view b) { return a.text_ == b; }
  friend std::string operator+(const Name& a, std::string_view b) { return a.text_ + std::string(b); }
  friend std::string operator+(std::string_view a, const Name& b) { return std::string(a) + b.text_; }

 private:
  friend class Program;
  explicit Name(std::string text) : text_(std::move(text)) {}
  Name& operator=(const Name&) = default;
  Name& operator=(Name&&) = default;

  std::string text_;
};

struct Value {
  Name name = {};  // unique in the program
  Type type = {};
  TensorPtr constant = {};             // set for weights, null for activations
  std::optional<int64_t> offset = {};  // placed form, activations only: bytes from the start of the arena; in a buffer
                                       // of the caller's: plan/buffers.h
  Buffer buffer = Buffer::arena;    // inputs and outputs
  std::vector<int64_t> order = {};  // inputs: the exported dimensions in the order the caller hands them over, which
                                    // `type` already has; empty: as exported
  bool is_constant() const { return constant != nullptr; }
};

// Inputs or outputs of a program, which asks them often whether a value is one.
class EndList {
 public:
  EndList() = default;
  EndList(std::vector<ValueId> ids) : ids_(std::move(ids)) { count(); }  // NOLINT: implicit on purpose
  EndList(std::initializer_list<ValueId> ids) : EndList(std::vector<ValueId>(ids)) {}

  size_t size() const { return ids_.size(); }
  bool empty() const { return ids_.empty(); }
  ValueId operator[](size_t i) const { return ids_[i]; }
  ValueId front() const { return ids_.front(); }
  ValueId back() const { return ids_.back(); }
  auto begin() const { return ids_.begin(); }
  auto end() const { return ids_.end(); }
  operator const std::vector<ValueId>&() const { return ids_; }  // NOLINT: implicit on purpose
  size_t times(ValueId id) const;                                 // that it stands here
  bool contains(ValueId id) const { return times(id) != 0; }

  void set(size_t i, ValueId id);
  void push_back(ValueId id);
  void replace(ValueId from, ValueId to);

 private:
  void count();

  std::vector<ValueId> ids_;
  std::unordered_map<ValueId, size_t> times_;
};

class Program {
 public:
  std::string name;
  std::string file;  // the model file, for diagnostics
  Form form = Form::torch;
  IndexedVector<ValueId, Value> values;
  NodeList nodes;  // in an order in which every operand is defined before its use
  EndList inputs;
  EndList outputs;

  Value& operator[](ValueId id) { return values[id]; }
  const Value& operator[](ValueId id) const { return values[id]; }
  const Type& type(ValueId id) const { return values[id].type; }

  // Adds a value; a name that is taken gets a suffix ".1", ".2", ...
  ValueId add_value(std::string name, Type type);
  ValueId add_constant(std::string name, Type type, TensorPtr data);
  void swap_names(ValueId a, ValueId b);

  ValueId find(std::string_view name) const;  // none if there is no such value
  Node* producer(ValueId id) { return nodes.producer(id); }  // null for inputs and constants
  const Node* producer(ValueId id) const { return nodes.producer(id); }
  std::vector<Node*> users(ValueId id) { return nodes.users(id); }  // each node once, in program order
  std::vector<const Node*> users(ValueId id) const;
  bool is_input(ValueId id) const { return inputs.contains(id); }
  bool is_output(ValueId id) const { return outputs.contains(id); }
  bool is_needed(ValueId id) const { return nodes.is_read(id) || is_output(id); }
  // The node that alone reads `id`, null if several do, none does, or it is an output of the program.
  Node* sole_user(ValueId id) { return is_output(id) ? nullptr : nodes.sole_user(id); }
  void replace_uses(ValueId from, ValueId to);  // in nodes and outputs
  void erase_nodes(const std::function<bool(const Node&)>& doomed) { nodes.erase_if(doomed); }

  // A diagnostic at `node`, with this program's file.
  Diag error_at(const Node& node, std::string code, std::string message) const;

  // Drops values that nothing mentions and renumbers the rest. Invalidates every ValueId held elsewhere.
  void compact();

 private:
  std::unordered_map<std::string, ValueId> by_name_;
  std::unordered_map<std::string, int> next_suffix_;  // of names that were taken
};

}  // namespace fold8::ir

template <>
struct fmt::formatter<fold8::ir::Name> : fmt::formatter<std::string_view> {
  auto format(const fold8::ir::Name& name, format_context& context) const {
    return fmt::formatter<std::string_view>::format(name.text(), context);
  }
};
