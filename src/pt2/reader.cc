// The reader proper: finds the graph in the archive and walks its nodes, each through the import row of its target.
// It knows no op by name. A node that fails does not end the walk: an unread node of the results that the archive
// states takes its place, so that every node which is wrong by itself is reported in one go.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "ir/unread.h"
#include "pt2/archive.h"
#include "pt2/args.h"
#include "pt2/graph.h"
#include "pt2/json.h"
#include "pt2/pt2.h"
#include "pt2/signature.h"
#include "pt2/symbols.h"
#include "pt2/tensors.h"
#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

using ir::ImportCall;
using ir::ImportRow;
using ir::OpTable;
using ir::Program;
using ir::ValueId;

constexpr int64_t kSchemaMajor = 8;
constexpr int64_t kMaxGraphBytes = int64_t{256} << 20;
constexpr const char* kResave = "re-save it with torch >= 2.9: torch.export.save(torch.export.load(path), path)";

// ---- The archive's layout ----------------------------------------------------------------------------------------

bool any_name(const Archive& archive, bool (*is)(std::string_view)) { return std::ranges::any_of(archive.names(), is); }

Diag not_an_export(const Archive& archive) {
  if (any_name(archive, [](std::string_view n) { return n.ends_with("serialized_exported_program.json"); }))
    return error("F8-0103",
                 "the archive was written by torch 2.8 or older, in a layout that keeps its weights as pickles")
        .note(kResave);
  constexpr const char* kExport =
      "fold8 reads what torch.export.save writes: load the model in Python, quantize it with PT2E, export it with "
      "torch.export.export, save it with torch.export.save";
  if (archive.has("constants.pkl") || any_name(archive, [](std::string_view n) { return n.starts_with("code/"); }))
    return error("F8-0102", "not a torch.export archive: it looks like TorchScript (torch.jit.save)").note(kExport);
  if (archive.has("data.pkl"))
    return error("F8-0102", "not a torch.export archive: it looks like a state_dict or module pickled by torch.save")
        .note(kExport);
  if (archive.has("config.json") && archive.has("metadata.json"))
    return error("F8-0102", "not a torch.export archive: it looks like a Keras model")
        .note("fold8 reads PyTorch: rebuild the model there, load its weights, quantize with PT2E and export");
  return error("F8-0102", "not a torch.export archive: it holds no models/model.json").note(kExport);
}

// torch.export.save calls its program "model"; other packagers may choose another name.
Result<std::string> find_model(const Archive& archive) {
  if (archive.has("models/model.json")) return std::string("model");
  constexpr std::string_view kFolder = "models/";
  constexpr std::string_view kSuffix = ".json";
  std::vector<std::string> found;
  for (std::string_view name : archive.names()) {
    if (!name.starts_with(kFolder) || !name.ends_with(kSuffix)) continue;
    name.remove_prefix(kFolder.size());
    name.remove_suffix(kSuffix.size());
    found.emplace_back(name);
  }
  if (found.empty()) return not_an_export(archive);
  if (found.size() > 1)
    return error("F8-0102", fmt::format("the archive holds {} programs, none of them called 'model'", found.size()))
        .note("save the one to compile by itself, with torch.export.save");
  return found.front();
}

Result<> check_byte_order(const Archive& archive) {
  if (!archive.has("byteorder")) return ok;
  F8_TRY(const std::string order, archive.read("byteorder", 64));
  if (order != "little")
    return error("F8-0104", fmt::format("byte order '{}'; only little-endian archives are read", printable(order)));
  return ok;
}

Result<> check_schema(const Json& json) {
  F8_TRY(const Json* version, object_member(json, "schema_version"));
  F8_TRY(const Json* major, member(*version, "major"));
  F8_TRY(const int64_t number, to_int(*major, "the schema's major version"));
  if (number == kSchemaMajor) return ok;
  const Json* torch = find(json, "torch_version");
  const std::string by =
      torch != nullptr && torch->is_string() ? " (written by torch " + printable(torch->get<std::string>()) + ")" : "";
  return error("F8-0104", fmt::format("export schema version {}{}; version {} is read", number, by, kSchemaMajor))
      .note(kResave);
}

// ---- Targets -----------------------------------------------------------------------------------------------------

// "torch.ops.aten.relu_.default": by torch's convention an op whose name ends in '_' writes to its first argument.
bool writes_first_argument(std::string_view target) {
  const size_t overload = target.rfind('.');
  if (overload == std::string_view::npos) return false;
  const std::string_view name = target.substr(0, overload);
  return name.ends_with('_') && !name.ends_with("__");
}

// The same op as one that returns a new tensor: what it computes is what the in-place op writes.
std::string functional(const std::string& target) {
  if (!writes_first_argument(target)) return target;
  const size_t overload = target.rfind('.');
  return target.substr(0, overload - 1) + target.substr(overload);
}

// Checks and constraints on sizes: they return nothing, and the export has held them true.
bool only_asserts(const GraphNode& node) {
  if (!node.results.empty() || !node.odd_result.empty()) return false;
  return node.target.starts_with("torch.ops.aten._assert") || node.target.starts_with("torch.ops.aten.sym_constrain");
}

std::unordered_map<std::string_view, const ImportRow*> rows_by_target(OpTable ops) {
  std::unordered_map<std::string_view, const ImportRow*> rows;
  for (const ir::OpDef* op : ops)
    for (const ImportRow& row : op->imports)
      require(rows.emplace(row.target, &row).second, "a target is imported by one op");
  return rows;
}

// ---- The walk ----------------------------------------------------------------------------------------------------

class Walk {
 public:
  Walk(Program& program, OpTable ops, const Json& graph, const Symbols& symbols, Constants& constants)
      : program_(program), rows_(rows_by_target(ops)), graph_(graph), symbols_(symbols), constants_(constants) {}

  // What single nodes and outputs have wrong goes into `blockers`; an error is about the whole.
  Result<> run(const Signature& signature, Diags& blockers) {
    F8_TRY(tensor_values_, object_member(graph_, "tensor_values"));
    F8_TRY(const Json* nodes, array_member(graph_, "nodes"));
    F8_CHECK(define_inputs(signature));
    for (size_t i = 0; i < nodes->size(); ++i) {
      auto node = read_node((*nodes)[i], i);
      if (!node) return node.take_errors();  // the list itself is broken: what follows would be noise
      if (auto done = import_node(*node); !done) fail_node(*node, done.take_errors());
    }
    for (const std::string& name : signature.outputs)
      if (auto done = add_output(name); !done) report(done.take_errors());
    blockers.insert(blockers.end(), errors_.begin(), errors_.end());
    return ok;
  }

 private:
  // What a name of the graph stands for.
  struct Binding {
    ValueId id = ValueId::none;
    const StoredInput* stored = nullptr;  // a constant that nobody has read yet
    bool failed = false;                  // its node is reported already
  };

  Result<> define(const std::string& name, Binding binding) {
    if (bindings_.emplace(name, binding).second) return ok;
    return error("F8-0116", fmt::format("value '{}' is defined twice", printable(name)));
  }

  Result<ir::Type> stated_type(const std::string& name) {
    const Json* meta = find(*tensor_values_, name);
    if (meta == nullptr) return error("F8-0106", fmt::format("'tensor_values' says nothing of '{}'", printable(name)));
    auto type = value_type(*meta, symbols_);
    if (type) return type;
    Diags errors = type.take_errors();
    for (Diag& diag : errors) diag.message = fmt::format("value '{}': {}", printable(name), diag.message);
    return errors;
  }

  Result<> define_inputs(const Signature& signature) {
    for (const std::string& name : signature.user_inputs) {
      F8_TRY(ir::Type type, stated_type(name));
      if (type.elem != ir::Elem::f32 && type.elem != ir::Elem::i8) report({bad_input(name, type.elem)});
      const ValueId id = program_.add_value(identifier(name), std::move(type));
      program_.inputs.push_back(id);
      owned_.insert(id);
      F8_CHECK(define(name, {id, nullptr, false}));
    }
    for (const StoredInput& input : signature.stored_inputs)
      F8_CHECK(define(input.name, {ValueId::none, &input, false}));
    return ok;
  }

  static Diag bad_input(const std::string& name, ir::Elem elem) {
    const bool index = elem == ir::Elem::i64 || elem == ir::Elem::i32;
    return error("F8-0113", fmt::format("input '{}' is {}; inputs are float32, or int8 once quantized", printable(name),
                                        ir::elem_name(elem)))
        .note(index ? "indices are looked up by the caller: export the model from the embedding's float result on"
                    : "convert in the caller's code, scaled as in training, and export with a float32 example");
  }

  Result<ValueId> load(const std::string& name, Binding& binding) {
    const StoredInput& input = *binding.stored;
    auto tensor = constants_.load(input.store, input.stored_name);
    if (!tensor) {
      binding.failed = true;
      Diags errors = tensor.take_errors();
      for (Diag& diag : errors)
        diag.message = fmt::format("constant '{}': {}", printable(input.stored_name), diag.message);
      return errors;
    }
    ir::Type type{(*tensor)->elem, (*tensor)->shape, {}};
    if (auto agrees = check_stated(name, type, "the stored tensor"); !agrees) {
      binding.failed = true;
      return agrees.take_errors();
    }
    binding.id = program_.add_constant(identifier(input.stored_name), std::move(type), std::move(*tensor));
    binding.stored = nullptr;
    owned_.insert(binding.id);
    return binding.id;
  }

  // Sets waits_for_failed_ when the value's node has failed; the id is then of no use.
  Result<ValueId> value_of(const std::string& name) {
    const auto found = bindings_.find(name);
    if (found == bindings_.end())
      return error("F8-0116", fmt::format("value '{}' is used before anything defines it", printable(name)));
    Binding& binding = found->second;
    if (binding.failed) {
      waits_for_failed_ = true;
      return ValueId::none;
    }
    if (binding.stored != nullptr) return load(name, binding);
    if (stale_.contains(binding.id)) {
      return error("F8-0118",
                   fmt::format("'{}' is read after an in-place op changed it through a view", printable(name)))
          .note("use the op that returns a new tensor, such as ReLU(inplace=False)");
    }
    return binding.id;
  }

  Diag unsupported(const GraphNode& node) const {
    const std::string target = printable(node.target);
    if (writes_first_argument(node.target) && !node.args.empty())
      if (const std::string state = state_written_by(node); !state.empty())
        return hidden_state(state + " (" + target + ")");
    constexpr std::string_view kAtRunTime = "torch.ops.quantized_decomposed.choose_qparams";
    Diag diag = error("F8-0115", fmt::format("{} is not supported", target));
    if (node.target.starts_with(kAtRunTime))
      return diag.note("scales are computed at run time here: quantize statically (is_dynamic=False) and calibrate");
    return diag.note(
        "README.md lists the ops that are: write this part of the model with those, or leave it to the caller, before "
        "or after the compiled model");
  }

  // "buffer 'state'" if the node's first argument is the model's or the caller's, else nothing.
  std::string state_written_by(const GraphNode& node) const {
    const Json* tensor = find(*node.args.front().argument, "as_tensor");
    const Json* name = tensor == nullptr ? nullptr : find(*tensor, "name");
    if (name == nullptr || !name->is_string()) return "";
    const auto found = bindings_.find(name->get<std::string>());
    if (found == bindings_.end()) return "";
    if (found->second.stored != nullptr) return describe_stored(found->second.stored->stored_name);
    return describe_owned(found->second.id);
  }

  static std::string describe_stored(const std::string& name) { return fmt::format("buffer '{}'", printable(name)); }

  std::string describe_owned(ValueId id) const {
    if (!owned_.contains(id)) return "";
    const ir::Value& value = program_[id];
    return value.is_constant() ? describe_stored(value.name) : fmt::format("input '{}'", value.name);
  }

  Result<> import_node(const GraphNode& node) {
    if (node.is_symbolic || only_asserts(node)) return ok;
    if (!node_names_.insert(node.name).second)
      return error("F8-0116", fmt::format("node '{}' is defined twice", printable(node.name)));
    auto row = rows_.find(node.target);
    if (row == rows_.end()) row = rows_.find(functional(node.target));
    if (row == rows_.end()) return unsupported(node);
    if (!node.odd_result.empty())
      return error("F8-0117",
                   fmt::format("{} has a result of kind '{}', not a tensor", node.target, printable(node.odd_result)));

    ImportCall call{program_, node.target, identifier(node.name), node.place, {}, {}, {}, row->second};
    for (const std::string& result : node.results) call.result_names.push_back(identifier(result));
    waits_for_failed_ = false;
    F8_CHECK(fill_args(node, *row->second, call));
    if (waits_for_failed_) return add_unread(node);

    const size_t nodes_before = program_.nodes.size();
    require(row->second->import != nullptr, "an import row has a function");
    if (auto done = row->second->import(call); !done) {
      program_.nodes.erase(nodes_before, program_.nodes.size());
      return done;
    }
    note_views(nodes_before);
    F8_CHECK(bind_results(node, call));
    if (writes_first_argument(node.target)) return rebind_written(node, *row->second, call);
    return ok;
  }

  Result<> fill_args(const GraphNode& node, const ImportRow& row, ImportCall& call) {
    const ArgContext context{symbols_, find(graph_, "sym_int_values"),
                             [this](const std::string& name) { return value_of(name); }};
    for (const NodeArg& given : node.args) {
      const std::string what = fmt::format("{}: argument '{}'", node.target, printable(given.name));
      F8_TRY(ir::Arg arg, to_arg(*given.argument, what, context));
      const bool known = std::ranges::any_of(row.params, [&](const ir::Param& p) { return p.name == given.name; });
      if (!known && std::holds_alternative<std::monostate>(arg)) continue;
      if (!known) return error("F8-0110", fmt::format("{} is not supported", what));
      if (!call.args.emplace(given.name, std::move(arg)).second)
        return error("F8-0110", fmt::format("{} is given twice", what));
    }
    for (const ir::Param& param : row.params) {
      if (call.args.contains(param.name)) continue;
      if (param.default_json.empty())
        return error("F8-0110", fmt::format("{}: argument '{}' is missing", node.target, param.name));
      call.args.emplace(param.name, default_arg(param));
    }
    return ok;
  }

  // `type` as computed against what the archive says of `name`.
  Result<> check_stated(const std::string& name, const ir::Type& type, const std::string& who) {
    F8_TRY(const ir::Type stated, stated_type(name));
    if (stated.elem == type.elem && stated.shape == type.shape) return ok;
    auto text = [](const ir::Type& t) { return std::string(ir::elem_name(t.elem)) + ir::shape_text(t.shape); };
    return error("F8-0117",
                 fmt::format("'{}': the archive says {}, {} gives {}", printable(name), text(stated), who, text(type)));
  }

  Result<> bind_results(const GraphNode& node, const ImportCall& call) {
    F8_CHECK(call.expect_results(static_cast<int64_t>(call.results.size())));
    for (size_t i = 0; i < node.results.size(); ++i) {
      F8_CHECK(check_stated(node.results[i], program_.type(call.results[i]), node.target));
      F8_CHECK(define(node.results[i], {call.results[i], nullptr, false}));
    }
    return ok;
  }

  // Stands for a node that failed. Results of which the archive says nothing fail what reads them, in silence.
  Result<> add_unread(const GraphNode& node) {
    ir::Node unread{&ir::kUnread, identifier(node.name), tensors_of(node), {}, {}, {node.place}};
    for (const std::string& result : node.results) {
      Binding& binding = bindings_[result];
      if (binding.id != ValueId::none) continue;  // defined twice, or before it failed
      auto type = stated_type(result);
      binding = {ValueId::none, nullptr, !type};
      if (!type) continue;
      binding.id = program_.add_value(identifier(result), std::move(*type));
      unread.outputs.push_back(binding.id);
    }
    if (!unread.outputs.empty()) program_.nodes.push_back(std::move(unread));
    return ok;
  }

  // The activations among a node's arguments, as far as they can be found.
  std::vector<ValueId> tensors_of(const GraphNode& node) const {
    std::vector<ValueId> ids;
    const auto add = [&](const Json* tensor) {
      const Json* name = tensor == nullptr ? nullptr : find(*tensor, "name");
      if (name == nullptr || !name->is_string()) return;
      const auto found = bindings_.find(name->get<std::string>());
      if (found != bindings_.end() && found->second.id != ValueId::none) ids.push_back(found->second.id);
    };
    for (const NodeArg& arg : node.args) {
      add(find(*arg.argument, "as_tensor"));
      if (const Json* list = find(*arg.argument, "as_tensors"); list != nullptr && list->is_array())
        for (const Json& entry : *list) add(&entry);
    }
    return ids;
  }

  void fail_node(const GraphNode& node, Diags errors) {
    (void)add_unread(node);
    for (Diag& diag : errors)
      if (diag.place.node.empty()) diag.place = node.place;
    report(std::move(errors));
  }

  // ---- In-place ops. The program is pure, so the result takes over the written value's name. Another name for the
  // same memory (a view) would have changed as well: reading one later is refused.

  ValueId memory_of(ValueId id) const {
    const auto found = view_of_.find(id);
    return found == view_of_.end() ? id : found->second;
  }

  // Views are chains of ops that move data; taking copies for views errs on the safe side.
  void note_views(size_t first_node) {
    for (size_t i = first_node; i < program_.nodes.size(); ++i) {
      const ir::Node& node = program_.nodes[i];
      if (node.op == nullptr || node.inputs.empty() || node.inputs[0] == ValueId::none) continue;
      if (!node.op->quant.moves()) continue;
      for (ValueId output : node.outputs) view_of_[output] = memory_of(node.inputs[0]);
    }
  }

  Result<> rebind_written(const GraphNode& node, const ImportRow& row, const ImportCall& call) {
    const auto arg = row.params.empty() ? call.args.end() : call.args.find(row.params[0].name);
    const ValueId* written = arg == call.args.end() ? nullptr : std::get_if<ValueId>(&arg->second);
    if (written == nullptr || call.results.empty() || call.results[0] == *written) return ok;  // a no-op: detach_
    const ValueId result = call.results[0];
    const ValueId memory = memory_of(*written);
    // An op that only looks at the memory in another shape (unsqueeze_) renames it and changes no element.
    if (memory_of(result) != memory) {
      if (const std::string state = describe_owned(memory); !state.empty())
        return hidden_state(state + " (" + node.target + ")");
      for (ValueId id : program_.values.keys())
        if (id != result && memory_of(id) == memory) stale_.insert(id);
    }
    for (auto& [name, binding] : bindings_)
      if (binding.id == *written) binding.id = result;
    return ok;
  }

  Result<> add_output(const std::string& name) {
    waits_for_failed_ = false;
    F8_TRY(const ValueId id, value_of(name));
    if (waits_for_failed_) return ok;
    if (owned_.contains(id)) {
      const char* what = program_[id].is_constant() ? "a constant" : "an input";
      return error("F8-0113", fmt::format("output '{}' is {} of the program, returned as it is", printable(name), what))
          .note("leave it out of what forward() returns: the caller has it already");
    }
    program_.outputs.push_back(id);
    return ok;
  }

  void report(Diags errors) { errors_.insert(errors_.end(), errors.begin(), errors.end()); }

  Program& program_;
  std::unordered_map<std::string_view, const ImportRow*> rows_;
  const Json& graph_;
  const Symbols& symbols_;
  Constants& constants_;
  const Json* tensor_values_ = nullptr;
  std::unordered_map<std::string, Binding> bindings_;
  std::unordered_set<std::string> node_names_;
  std::set<ValueId> owned_;  // the caller's inputs and the model's constants
  std::map<ValueId, ValueId> view_of_;
  std::set<ValueId> stale_;
  bool waits_for_failed_ = false;
  Diags errors_;
};

// ---- From file to Program ------------------------------------------------------------------------------------------

Result<Symbols> read_symbols(const Json& json, const Json& graph, const Signature& signature, const Options& options) {
  F8_TRY(Symbols symbols, Symbols::read(find(json, "range_constraints"), options.bind));
  F8_TRY(const Json* tensor_values, object_member(graph, "tensor_values"));
  for (const std::string& name : signature.user_inputs) {
    const Json* meta = find(*tensor_values, name);
    const Json* sizes = meta == nullptr ? nullptr : find(*meta, "sizes");
    if (sizes != nullptr && sizes->is_array()) F8_CHECK(symbols.note_input(printable(name), *sizes));
  }
  F8_CHECK(symbols.check());
  return symbols;
}

Result<Program> read_program(const std::filesystem::path& path, OpTable ops, const Options& options, Diags& blockers) {
  F8_TRY(const Archive archive, Archive::open(path));
  F8_TRY(const std::string model, find_model(archive));
  F8_CHECK(check_byte_order(archive));
  const std::string entry = "models/" + model + ".json";
  F8_TRY(const Json json, read_json(archive, entry, kMaxGraphBytes));
  F8_CHECK(check_schema(json));
  F8_TRY(Constants constants, Constants::open(archive, model));

  F8_TRY(const Json* module, object_member(json, "graph_module"));
  F8_TRY(const Json* graph, object_member(*module, "graph"));
  F8_TRY(const Json* signature_json, object_member(*module, "signature"));
  F8_TRY(const Signature signature, read_signature(*signature_json, blockers));
  F8_TRY(const Symbols symbols, read_symbols(json, *graph, signature, options));

  Program program;
  program.name = identifier(path.stem().string());
  program.file = path.string();
  program.form = ir::Form::torch;
  F8_CHECK(Walk(program, ops, *graph, symbols, constants).run(signature, blockers));
  return program;
}

}  // namespace

Result<Program> read(const std::filesystem::path& path, OpTable ops, const Options& options, Diags* blockers) {
  Diags found;
  auto program = read_program(path, ops, options, found);
  if (!program) {  // no Program to go on with: all there is to say
    const Diags last = program.take_errors();
    found.insert(found.end(), last.begin(), last.end());
  }
  for (Diag& diag : found)
    if (diag.file.empty()) diag.file = path.string();
  if (program && (found.empty() || blockers != nullptr)) {
    if (blockers != nullptr) *blockers = std::move(found);
    return program;
  }
  return found;
}

}  // namespace fold8::pt2
