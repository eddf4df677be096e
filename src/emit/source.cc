#include "emit/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "emit/c_api.h"
#include "emit/names.h"
#include "ir/op.h"
#include "plan/buffers.h"
#include "quant/rescale.h"

namespace fold8::emit {

using namespace ir;

namespace {

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

class Source {
 public:
  Source(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o)
      : p_(p), plan_(plan), target_(target), o_(o), ends_(plan::buffered_ends(p)) {}

  // Tables of equal contents are one table.
  std::string tables() {
    fmt::memory_buffer out;
    std::map<std::pair<uint64_t, Elem>, std::string> known;
    Names names;
    for (ValueId id : p_.values.keys()) {
      const Value& value = p_[id];
      if (!value.is_constant()) continue;
      auto [entry, fresh] = known.try_emplace({content_hash(*value.constant), value.type.elem});
      if (fresh) {
        entry->second = names.unique("k", value.name);
        write_table(out, entry->second, *value.constant);
        weight_bytes_ += static_cast<int64_t>(value.type.bytes());
      }
      table_[id] = entry->second;
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
    std::string out = fmt::format("{}: {}", node.name, node.op->name);
    for (ValueId id : node.inputs)
      if (id != ValueId::none && !p_[id].is_constant()) out += " " + shape_text(p_.type(id).shape);
    out += " ->";
    for (ValueId id : node.outputs) out += " " + shape_text(p_.type(id).shape);
    const Place place = node.place();
    std::vector<std::string> where;
    if (!place.source_file.empty()) where.push_back(fmt::format("{}:{}", place.source_file, place.source_line));
    if (!place.module_path.empty()) where.push_back(place.module_path);
    if (!where.empty()) out += fmt::format("   ({})", fmt::join(where, ", "));
    return "  // " + comment_text(out) + "\n";
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

// "dsp" -> "f8k::Dsp", the type in device/isa/dsp/isa.h.
std::string isa_type(const target::Target& target) {
  std::string name = target.isa;
  name[0] = static_cast<char>(std::toupper(name[0]));
  return "f8k::" + name;
}

Body body(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o) {
  Source source(p, plan, target, o);
  Body out;
  out.headers = {"core/little_endian.h", fmt::format("isa/{}/core.h", target.isa), "core/address.h",
                 fmt::format("isa/{}/isa.h", target.isa)};
  out.tables = source.tables();
  out.calls = source.calls(out.headers);
  out.weight_bytes = source.weight_bytes();
  return out;
}

}  // namespace fold8::emit
