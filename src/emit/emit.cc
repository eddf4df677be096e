#include "emit/emit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "emit/amalgamate.h"
#include "ir/op.h"
#include "plan/buffers.h"
#include "quant/rescale.h"

namespace fold8::emit {
namespace {

using namespace ir;

constexpr const char* kVersion = "0.1.0";

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string identifier(std::string_view text) {
  std::string out;
  for (char c : text) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

// "dsp" -> "f8k::Dsp", the type in device/isa/dsp/isa.h.
std::string isa_type(const target::Target& target) {
  std::string name = target.isa;
  name[0] = static_cast<char>(std::toupper(name[0]));
  return "f8k::" + name;
}

const char* c_type(Elem elem) {
  switch (elem) {
    case Elem::f32: return "float";
    case Elem::i8: return "int8_t";
    case Elem::i16: return "int16_t";
    case Elem::i32: return "int32_t";
    case Elem::i64: return "int64_t";
    case Elem::u8:
    case Elem::boolean: return "uint8_t";
    case Elem::rescale: return "f8k::Rescale";
  }
  throw CompilerBug("an element kind has a C type");
}

// A shortest decimal that reads back as the same double.
std::string real(double x) {
  std::string text = fmt::format("{}", x);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// ---- the header

// One end of the model, with the names C gives it: digits_input / DIGITS_INPUT, or with a suffix where there are
// several.
struct End {
  ValueId value;
  std::string suffix;  // "input", "input_h", "output_1"
  bool is_input;
};

std::vector<End> ends(const Program& p) {
  std::vector<End> list;
  for (ValueId id : p.inputs)
    list.push_back({id, p.inputs.size() == 1 ? "input" : "input_" + identifier(p[id].name), true});
  for (size_t i = 0; i < p.outputs.size(); ++i)
    list.push_back({p.outputs[i], p.outputs.size() == 1 ? "output" : fmt::format("output_{}", i), false});
  return list;
}

bool in_arena(const Program& p, const End& end) { return p[end.value].buffer == Buffer::arena; }

// A parameter of invoke for each buffer of the caller's: ", const int8_t* input, int8_t* output".
std::string buffer_parameters(const Program& p) {
  std::string out;
  for (const End& end : ends(p))
    if (!in_arena(p, end))
      out += fmt::format(", {}{}* {}", plan::may_write(p, end.value) ? "" : "const ", c_type(p.type(end.value).elem),
                         end.suffix);
  return out;
}

std::string describe(const Type& type) {
  return fmt::format("{} {}, row-major", type.elem == Elem::f32 ? "float32" : "int8", shape_text(type.shape));
}

std::string end_constants(const Program& p, const End& end, const std::string& prefix) {
  const Value& value = p[end.value];
  const std::string name = prefix + "_" + upper(end.suffix);
  std::string out = fmt::format("/* {} {}: {}", end.is_input ? "input" : "output", value.name, describe(value.type));
  if (!value.order.empty()) out += fmt::format(", the exported dimensions in the order {}", shape_text(value.order));
  if (value.type.quant) out += fmt::format("; real = {0}_SCALE * (q - {0}_ZERO)", name);
  out += fmt::format(" */\n#define {}_BYTES {}\n#define {}_ELEMS {}\n", name, value.type.bytes(), name,
                     value.type.elems());
  if (value.type.quant)
    out += fmt::format("#define {0}_SCALE {1}f\n#define {0}_ZERO ({2})\n", name, real(value.type.quant->scale()),
                       value.type.quant->zero);
  return out + "\n";
}

std::string end_accessor(const Program& p, const End& end, const std::string& name) {
  const Value& value = p[end.value];
  const char* constness = end.is_input ? "" : "const ";
  return fmt::format(
      "static inline {0}{1}* {2}_{3}({0}void* arena) {{ return ({0}{1}*)(void {0}*)(({0}uint8_t*)arena + {4}); }}\n",
      constness, c_type(value.type.elem), name, end.suffix, *value.offset);
}

// What happens to inputs, and what the caller's own buffers must be.
std::string terms(const Program& p) {
  const std::vector<End> all = ends(p);
  auto any = [&](auto test) { return std::ranges::any_of(all, test); };
  std::string out;
  if (any([&](const End& e) { return e.is_input && in_arena(p, e); }))
    out += " * Inputs in the arena are consumed: write them again before each call.\n";
  if (any([&](const End& e) { return p[e.value].buffer == Buffer::consumed; }))
    out += " * Inputs in buffers of your own are consumed: write them again before each call.\n";
  if (any([&](const End& e) { return e.is_input && p[e.value].buffer == Buffer::caller; }))
    out += " * Inputs in buffers of your own are only read.\n";
  if (any([&](const End& e) { return !in_arena(p, e); }))
    out +=
        " * Your buffers are aligned as the arena is, and overlap neither it nor each other. Those that are not const "
        "also hold\n * intermediate results during the call.\n";
  return out;
}

std::string usage(const Program& p, const Options& o) {
  const std::string prefix = upper(o.name);
  std::string before, after, buffers;
  for (const End& end : ends(p)) {
    if (!in_arena(p, end)) {
      buffers += fmt::format(", my_{}", end.suffix);
    } else if (end.is_input) {
      before += fmt::format(" *   memcpy({0}_{1}(arena), my_{1}, {2}_{3}_BYTES);\n", o.name, end.suffix, prefix,
                            upper(end.suffix));
    } else {
      after += fmt::format(" *   const {}* y = {}_{}(arena);\n", c_type(p.type(end.value).elem), o.name, end.suffix);
    }
  }
  return fmt::format(
             " *\n * How to call it, from C or C++:\n *   static {0}_ARENA(arena);                      "
             "(or any memory of {0}_ARENA_BYTES, aligned to {0}_ARENA_ALIGN)\n{1} *   {2}_invoke(arena{3});\n{4}{5}",
             prefix, before, o.name, buffers, after, terms(p)) +
         " * Nothing is kept between calls, so one arena serves one call at a time, and several arenas serve several "
         "threads.\n";
}

std::string header(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o,
                   int64_t weight_bytes) {
  const std::string prefix = upper(o.name);
  std::string out = fmt::format("/* {}: an int8 network for {} ({} kernels), written by fold8 {}.\n", o.name,
                                target.cpu, target.isa, kVersion);
  out += usage(p, o) + " */\n";
  out += fmt::format("#ifndef FOLD8_{0}_H\n#define FOLD8_{0}_H\n\n#include <stdint.h>\n\n", prefix);
  out += fmt::format(
      "/* Memory that the caller lends for the call: inputs and outputs that have no buffer of their own, intermediate "
      "results, scratch. */\n"
      "#define {0}_ARENA_BYTES {1}\n#define {0}_ARENA_ALIGN {2}\n/* Constant tables, in flash. */\n#define "
      "{0}_WEIGHT_BYTES {3}\n\n",
      prefix, std::max<int64_t>(plan.arena_bytes, 1), plan.align, weight_bytes);  // C has no empty arrays
  out += fmt::format(
      "#ifdef __cplusplus\n#define {0}_ARENA(name) alignas({0}_ARENA_ALIGN) uint8_t name[{0}_ARENA_BYTES]\n#else\n"
      "#define {0}_ARENA(name) _Alignas({0}_ARENA_ALIGN) uint8_t name[{0}_ARENA_BYTES]\n#endif\n\n",
      prefix);
  for (const End& end : ends(p)) out += end_constants(p, end, prefix);
  out += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  std::string accessors;
  for (const End& end : ends(p))
    if (in_arena(p, end)) accessors += end_accessor(p, end, o.name);
  if (!accessors.empty())
    out += "/* Where the caller writes inputs before the call, and reads outputs after it. */\n" + accessors + "\n";
  out += fmt::format(
      "/* One inference. Re-entrant: all state is in the memory that the caller lends. */\nvoid {0}_invoke(void* "
      "arena{1});\n\n/* The instruction set that the kernels use: \"{2}\". */\nconst char* {0}_isa(void);\n",
      o.name, buffer_parameters(p), target.isa);
  return out + fmt::format("\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* FOLD8_{}_H */\n", prefix);
}

// ---- the source

// Lines of at most 120 columns.
template <class T, class Write>
void write_list(fmt::memory_buffer& out, std::span<const T> items, Write write) {
  size_t line_start = out.size();
  fmt::format_to(std::back_inserter(out), "   ");
  for (const T& item : items) {
    if (out.size() - line_start > 110) {
      fmt::format_to(std::back_inserter(out), "\n   ");
      line_start = out.size() - 3;
    }
    fmt::format_to(std::back_inserter(out), " ");
    write(item);
  }
}

void write_elements(fmt::memory_buffer& out, const Tensor& data) {
  auto number = [&](auto x) { fmt::format_to(std::back_inserter(out), "{},", x); };
  switch (data.elem) {
    case Elem::i8: return write_list(out, data.as<int8_t>(), [&](int8_t x) { number(int{x}); });
    case Elem::u8:
    case Elem::boolean: return write_list(out, data.as<uint8_t>(), [&](uint8_t x) { number(int{x}); });
    case Elem::i16: return write_list(out, data.as<int16_t>(), number);
    case Elem::i32: return write_list(out, data.as<int32_t>(), number);
    case Elem::i64: return write_list(out, data.as<int64_t>(), number);
    case Elem::f32:
      return write_list(out, data.as<float>(), [&](float x) { fmt::format_to(std::back_inserter(out), "{:a}f,", x); });
    case Elem::rescale:
      return write_list(out, data.as<quant::Rescale>(), [&](const quant::Rescale& r) {
        fmt::format_to(std::back_inserter(out), "{{{}, {}}},", r.multiplier, r.shift);
      });
  }
}

// The memory behind offsets, in the order of plan/buffers.h; const buffers are not written to.
std::string bases(const Program& p) {
  std::string out;
  for (const End& end : ends(p))
    if (!in_arena(p, end))
      out +=
          fmt::format(", reinterpret_cast<uint8_t*>(const_cast<{}*>({}))", c_type(p.type(end.value).elem), end.suffix);
  return out.empty() ? "" : fmt::format("  uint8_t* const bases[] = {{arena{}}};\n  (void)bases;\n", out);
}

class Source {
 public:
  Source(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o)
      : p_(p), plan_(plan), target_(target), o_(o), ends_(plan::buffered_ends(p)) {}

  // Tables of equal contents are one table.
  std::string tables() {
    fmt::memory_buffer out;
    std::map<std::pair<uint64_t, Elem>, std::string> known;
    std::set<std::string> taken;
    for (size_t i = 0; i < p_.values.size(); ++i) {
      const Value& value = p_.values[i];
      if (!value.is_constant()) continue;
      auto [entry, fresh] =
          known.try_emplace({content_hash(*value.constant), value.type.elem}, "k_" + identifier(value.name));
      if (fresh) {
        while (!taken.insert(entry->second).second) entry->second += "_";
        write_table(out, entry->second, *value.constant);
        weight_bytes_ += static_cast<int64_t>(value.type.bytes());
      }
      table_[static_cast<ValueId>(i)] = entry->second;
    }
    return fmt::to_string(out);
  }

  std::string calls(std::vector<std::string>& headers) {
    const std::string mark = o_.mark ? "  fold8_mark();\n" : "";
    std::string out = mark;
    for (size_t u = 0; u < plan_.units.size(); ++u) {
      const plan::Unit& unit = plan_.units[u];
      out += unit.is_stream() ? stream(u, headers) : node_calls(u, headers);
      if (o_.trace) out += trace(p_.nodes[unit.end - 1], unit.end - 1);
      out += mark;
    }
    return out;
  }

  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  void write_table(fmt::memory_buffer& out, const std::string& name, const Tensor& data) const {
    fmt::format_to(std::back_inserter(out), "alignas({}) const {} {}[{}] = {{\n", target_.align, c_type(data.elem),
                   name, std::max<int64_t>(1, elem_count(data.shape)));
    write_elements(out, data);
    fmt::format_to(std::back_inserter(out), "\n}};\n\n");
  }

  // "  // fc1: linear [1,64] -> [1,32]   (train.py:32, Mlp.forward > fc1 (Linear))"
  std::string comment(const Node& node) const {
    std::string out = fmt::format("  // {}: {}", node.name, node.op->name);
    for (ValueId id : node.inputs)
      if (id != ValueId::none && !p_[id].is_constant()) out += " " + shape_text(p_.type(id).shape);
    out += " ->";
    for (ValueId id : node.outputs) out += " " + shape_text(p_.type(id).shape);
    const Place place = node.place();
    std::vector<std::string> where;
    if (!place.source_file.empty()) where.push_back(fmt::format("{}:{}", place.source_file, place.source_line));
    if (!place.module_path.empty()) where.push_back(place.module_path);
    if (!where.empty()) out += fmt::format("   ({})", fmt::join(where, ", "));
    std::ranges::replace(out, '\\', '/');  // a backslash at its end would splice the next line into the comment
    std::ranges::replace(out, '\n', ' ');
    return out + "\n";
  }

  std::string node_calls(size_t u, std::vector<std::string>& headers) const {
    const Node& node = p_.nodes[plan_.units[u].first];
    const std::vector<KernelCall> list = node.op->calls(p_, node, target_);
    std::string out = !list.empty() || o_.trace ? comment(node) : "";
    for (const KernelCall& call : list) {
      const Arguments a = arguments(call, u, "p");
      headers.push_back(call.header);
      const std::string line = call.is_object ? fmt::format("static constexpr {} op{{{}}};\n    op.run({});",
                                                            instantiation(call), a.list, memory())
                                              : fmt::format("{}({});", instantiation(call), a.list);
      out += a.structs.empty() ? fmt::format("  {}\n", line) : fmt::format("  {{\n{}    {}\n  }}\n", a.structs, line);
    }
    return out;
  }

  // Kernels as objects that make a row at a time, and the order of their turns.
  std::string stream(size_t u, std::vector<std::string>& headers) const {
    const plan::Unit& unit = plan_.units[u];
    std::string comments, objects, names;
    for (size_t i = unit.first; i < unit.end; ++i) {
      const Node& node = p_.nodes[i];
      const std::optional<KernelCall> call = node.op->rows(p_, node, target_);
      require(call.has_value() && call->is_object, "a node in a stream works by rows");
      headers.push_back(call->header);
      const std::string name = fmt::format("op{}", i - unit.first);
      const Arguments a = arguments(*call, u, name + "_p");
      comments += comment(node);
      objects += fmt::format("{}    static constexpr {} {}{{{}}};\n", a.structs, instantiation(*call), name, a.list);
      names += ", " + name;
    }
    headers.push_back("core/rows.h");
    return fmt::format(
        "{}  // row by row, in turns\n  {{\n    static constexpr uint8_t turns[] = {{{}}};\n{}"
        "    f8k::run_rows({}, turns, {}{});\n  }}\n",
        comments, fmt::join(unit.turns, ","), objects, memory(), unit.turns.size(), names);
  }

  std::string instantiation(const KernelCall& call) const {
    std::string out = call.function + "<" + isa_type(target_);
    for (const std::string& arg : call.template_args) out += ", " + arg;
    return out + ">";
  }

  // Arguments of a call; parameter structs are constants in flash, so that the frame of invoke stays small.
  struct Arguments {
    std::string structs;
    std::string list;
  };

  Arguments arguments(const KernelCall& call, size_t unit, const std::string& prefix) const {
    Arguments a;
    for (size_t i = 0; i < call.args.size(); ++i) {
      if (i > 0) a.list += ", ";
      if (const auto* literal = std::get_if<KernelStruct>(&call.args[i])) {
        const std::string name = fmt::format("{}{}", prefix, i);
        a.structs += fmt::format("    static constexpr {} {}{{{}}};\n", literal->type, name, fields(*literal));
        a.list += name;
      } else {
        a.list += argument(call.args[i], unit, call.is_object);
      }
    }
    return a;
  }

  static std::string fields(const KernelStruct& literal) {
    std::string out;
    for (const KernelInt& field : literal.fields)
      out += fmt::format("{}/*{}*/ {}", out.empty() ? "" : ", ", field.name, field.value);
    return out;
  }

  std::string argument(const KernelArg& arg, size_t unit, bool of_object) const {
    struct Writer {
      const Source& source;
      size_t unit;
      bool of_object;
      std::string operator()(const KernelInt& i) const { return fmt::format("/*{}*/ {}", i.name, i.value); }
      std::string operator()(const KernelFloat& f) const { return fmt::format("/*{}*/ {:a}f", f.name, f.value); }
      std::string operator()(const KernelStruct&) const {
        throw CompilerBug("a parameter struct is named, not written in place");
      }
      std::string operator()(const KernelPointer& pointer) const { return source.address(pointer.value); }
      std::string operator()(const KernelRows& rows) const { return source.rows(rows, unit); }
      std::string operator()(const KernelScratch& scratch) const {
        const int64_t offset = std::max<int64_t>(source.plan_.scratch_offsets[unit], 0) + scratch.from;
        return of_object ? fmt::format("/*scratch*/ {}", offset) : source.at("int8_t", offset);
      }
    };
    return std::visit(Writer{*this, unit, of_object}, arg);
  }

  std::string address(ValueId id) const {
    if (id == ValueId::none) return "nullptr";
    if (p_[id].is_constant()) return table_.at(id);
    return at(c_type(p_.type(id).elem), *p_[id].offset);
  }

  // The value of a type at an offset, wherever that is.
  std::string at(const char* type, int64_t offset) const {
    const size_t buffer = plan::buffer_of(ends_, offset);
    return fmt::format("f8k::at<{}>({}, {})", type, buffer == 0 ? "arena" : fmt::format("bases[{}]", buffer),
                       offset - plan::buffer_begin(buffer));
  }

  // What objects find their values in.
  std::string memory() const { return ends_.empty() ? "arena" : "f8k::Buffers{bases}"; }

  std::string rows(const KernelRows& r, size_t unit) const {
    const auto ring = plan_.units[unit].ring_rows.find(r.value);
    return fmt::format("f8k::Rows{{/*start*/ {}, /*row_bytes*/ {}, /*count*/ {}, /*held*/ {}}}", *p_[r.value].offset,
                       r.row_bytes, r.count, ring == plan_.units[unit].ring_rows.end() ? r.count : ring->second);
  }

  std::string trace(const Node& node, size_t index) const {
    std::string out;
    for (ValueId id : node.outputs)
      out += fmt::format("  fold8_trace({}, {}, {});\n", index, at("uint8_t", *p_[id].offset), p_.type(id).bytes());
    return out;
  }

  const Program& p_;
  const plan::Plan& plan_;
  const target::Target& target_;
  const Options& o_;
  std::vector<ValueId> ends_;  // in buffers of the caller's
  std::map<ValueId, std::string> table_;
  int64_t weight_bytes_ = 0;
};

}  // namespace

bool is_c_identifier(std::string_view name) {
  return !name.empty() && name[0] != '_' && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name, [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); });
}

Emission emit(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o) {
  require(p.form == Form::placed && is_c_identifier(o.name), "emit() writes placed programs under a C identifier");
  Source source(p, plan, target, o);
  std::vector<std::string> headers = {"core/address.h", fmt::format("isa/{}/isa.h", target.isa)};
  const std::string tables = source.tables();
  const std::string calls = source.calls(headers);

  // A namespace of its own, so that several models can also be compiled as one translation unit.
  std::string cpp = fmt::format(
      "// {0}: tables and calls, written by fold8 {1} for {2}. See {0}.h for how to call it.\n"
      "#include \"{0}.h\"\n\n#include \"{0}_kernels.h\"\n\nnamespace {0}_model {{\n",
      o.name, kVersion, target.cpu);
  cpp += "namespace {\n\n" + tables + "}  // namespace\n\n";
  if (o.trace) cpp += "extern \"C\" void fold8_trace(uint32_t node, const void* data, uint32_t bytes);\n\n";
  if (o.mark) cpp += "extern \"C\" void fold8_mark();\n\n";
  cpp += fmt::format(
      "extern \"C\" void {}_invoke(void* memory{}) {{\n  uint8_t* const arena = static_cast<uint8_t*>(memory);\n  "
      "(void)arena;\n{}{}}}\n\n",
      o.name, buffer_parameters(p), bases(p), calls);
  cpp += fmt::format("extern \"C\" const char* {0}_isa(void) {{ return {1}::kName; }}\n\n}}  // namespace {0}_model\n",
                     o.name, isa_type(target));

  Emission result;
  result.weight_bytes = source.weight_bytes();
  result.files.push_back({o.name + ".h", header(p, plan, target, o, result.weight_bytes)});
  result.files.push_back({o.name + ".cpp", std::move(cpp)});
  result.files.push_back(
      {o.name + "_kernels.h", fmt::format("// Device code for {}.cpp, from fold8 {}. Apache-2.0. Needs <stdint.h> and "
                                          "memcpy/memset only.\n#pragma once\n\n",
                                          o.name, kVersion) +
                                  amalgamate(headers)});
  return result;
}

}  // namespace fold8::emit
