#include <fmt/format.h>

#include "ir/text.h"
#include "quant/rescale.h"

namespace fold8::ir {
namespace {

constexpr int64_t kInlineElems = 16;

std::string hex_float(double x) { return fmt::format("{:a}", x); }

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

std::string attr_text(const Attr& attr) {
  struct Printer {
    std::string operator()(int64_t i) const { return std::to_string(i); }
    std::string operator()(double d) const { return hex_float(d); }
    std::string operator()(const std::vector<int64_t>& list) const { return fmt::format("[{}]", fmt::join(list, ",")); }
    std::string operator()(const std::string& s) const { return quoted(s); }
  };
  return std::visit(Printer{}, attr);
}

// "q8[3,4] scale={0x1p-7 0x1p-6 0x1p-5} axis=0 zero=0", "i32[3]", "f32[1,64]"
std::string type_text(const Type& type) {
  if (!type.quant) return elem_name(type.elem) + shape_text(type.shape);
  const Quant& q = *type.quant;
  std::string out = fmt::format("q{}{} scale=", elem_bytes(type.elem) * 8, shape_text(type.shape));
  if (q.is_per_tensor()) {
    out += hex_float(q.scale());
  } else {
    out += "{";
    for (size_t i = 0; i < q.scales.size(); ++i) out += (i ? " " : "") + hex_float(q.scales[i]);
    out += fmt::format("}} axis={}", q.axis);
  }
  return out + fmt::format(" zero={}", q.zero);
}

template <class T>
std::string list_text(const Tensor& data) {
  return fmt::format("{{{}}}", fmt::join(data.as<T>(), " "));
}

std::string data_text(const Tensor& data) {
  if (elem_count(data.shape) > kInlineElems) return fmt::format("hash {:016x}", content_hash(data));
  switch (data.elem) {
    case Elem::i8: return list_text<int8_t>(data);
    case Elem::u8:
    case Elem::boolean: return list_text<uint8_t>(data);
    case Elem::i16: return list_text<int16_t>(data);
    case Elem::i32: return list_text<int32_t>(data);
    case Elem::i64: return list_text<int64_t>(data);
    case Elem::f32: {
      std::string out = "{";
      for (float x : data.as<float>()) out += (out.size() > 1 ? " " : "") + hex_float(static_cast<double>(x));
      return out + "}";
    }
    case Elem::rescale: {
      std::string out = "{";
      for (const auto& r : data.as<quant::Rescale>())
        out += fmt::format("{}{} {}", out.size() > 1 ? " " : "", r.multiplier, r.shift);
      return out + "}";
    }
  }
  throw CompilerBug("an element kind has a text form");
}

std::string place_text(const Place& p) {
  return fmt::format(" at({}, {}, {}, {}, {}, {})", quoted(p.source_file), p.source_line, quoted(p.source_text),
                     quoted(p.function), quoted(p.module_path), quoted(p.node));
}

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program) {}

  std::string run() {
    out_ = fmt::format("program form={}", form_name(program_.form));
    if (!program_.name.empty()) out_ += " name=" + quoted(program_.name);
    out_ += " {\n";
    for (ValueId id : program_.inputs)
      out_ +=
          fmt::format("  in {} : {}{}{}{}\n", ref(id), type_text(program_.type(id)), offset(id), buffer(id), order(id));
    for (const Value& value : program_.values)
      if (value.is_constant())
        out_ += fmt::format("  const %{} : {} = {}\n", value.name, type_text(value.type), data_text(*value.constant));
    for (const Node& node : program_.nodes) print_node(node);
    out_ += "  out";
    for (size_t i = 0; i < program_.outputs.size(); ++i) out_ += (i ? ", " : " ") + ref(program_.outputs[i]);
    return out_ + "\n}\n";
  }

 private:
  std::string ref(ValueId id) const { return id == ValueId::none ? "_" : "%" + program_[id].name; }

  std::string offset(ValueId id) const {
    const auto& at = program_[id].offset;
    return at ? fmt::format(" arena={}", *at) : "";
  }

  std::string buffer(ValueId id) const {
    const Buffer buffer = program_[id].buffer;
    return buffer == Buffer::arena ? "" : buffer == Buffer::caller ? " buffer=caller" : " buffer=consumed";
  }

  std::string order(ValueId id) const {
    const auto& dims = program_[id].order;
    return dims.empty() ? "" : fmt::format(" order=[{}]", fmt::join(dims, ","));
  }

  std::string refs(const std::vector<ValueId>& ids) const {
    std::string out;
    for (ValueId id : ids) out += (out.empty() ? "" : ", ") + ref(id);
    return out;
  }

  void print_node(const Node& node) {
    out_ += fmt::format("  {} = {}", refs(node.outputs), node.op->name);
    if (!node.inputs.empty()) out_ += " " + refs(node.inputs);
    for (const auto& [key, value] : node.attrs.all()) out_ += fmt::format(" {}={}", key, attr_text(value));
    for (size_t i = 0; i < node.outputs.size(); ++i)
      out_ += (i ? ", " : " : ") + type_text(program_.type(node.outputs[i])) + offset(node.outputs[i]) +
              buffer(node.outputs[i]);
    if (program_[node.outputs[0]].name != node.name) out_ += " name=" + quoted(node.name);
    for (const Place& place : node.places) out_ += place_text(place);
    out_ += "\n";
  }

  const Program& program_;
  std::string out_;
};

}  // namespace

std::string print(const Program& program) { return Printer(program).run(); }

}  // namespace fold8::ir
