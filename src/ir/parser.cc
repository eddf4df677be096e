#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <utility>

#include "base/checked.h"
#include "ir/text.h"
#include "quant/rescale.h"

namespace fold8::ir {

int64_t seeded(uint64_t seed, uint64_t index, int64_t lo, int64_t hi) {
  uint64_t z = (seed << 32) + index + 1;
  z *= 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return lo + static_cast<int64_t>((z >> 32) % static_cast<uint64_t>(hi - lo + 1));
}

namespace {

struct SyntaxError {
  std::string message;
};

// One character class per token kind; a token is a word, a number, a quoted string or one punctuation character.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { skip(); }

  bool done() const { return at_ >= text_.size(); }
  int line() const { return line_; }
  char peek() const { return done() ? '\0' : text_[at_]; }

  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    skip();
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}', found {}", c, found()));
  }

  // [A-Za-z0-9_.+-]+ : names, keywords, numbers, hex floats, inf.
  std::string word() {
    const size_t start = at_;
    while (!done() && is_word(text_[at_])) ++at_;
    if (at_ == start) fail("expected a word, found " + found());
    std::string result(text_.substr(start, at_ - start));
    skip();
    return result;
  }

  bool accept_word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) return false;
    if (at_ + wanted.size() < text_.size() && is_word(text_[at_ + wanted.size()])) return false;
    at_ += wanted.size();
    skip();
    return true;
  }

  std::string quoted() {
    if (peek() != '"') fail("expected a string, found " + found());
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    if (done()) fail("a string has no end");
    ++at_;
    skip();
    return out;
  }

  int64_t integer() {
    const std::string text = word();
    char* end = nullptr;
    errno = 0;
    const int64_t value = std::strtoll(text.c_str(), &end, 10);
    if (*end != '\0' || errno != 0) fail(fmt::format("expected an integer, found '{}'", text));
    return value;
  }

  int32_t int32() {
    const int64_t value = integer();
    if (!std::in_range<int32_t>(value)) fail(fmt::format("{} does not fit i32", value));
    return static_cast<int32_t>(value);
  }

  double number() {
    const std::string text = word();
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0') fail(fmt::format("expected a number, found '{}'", text));
    return value;
  }

  [[noreturn]] void fail(std::string message) const { throw SyntaxError{std::move(message)}; }

 private:
  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' || c == '+';
  }

  std::string found() const { return done() ? "the end" : fmt::format("'{}'", text_[at_]); }

  void skip() {
    while (!done()) {
      if (text_[at_] == ';') {
        while (!done() && text_[at_] != '\n') ++at_;
      } else if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
        if (text_[at_] == '\n') ++line_;
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

class Parser {
 public:
  Parser(std::string_view text, OpTable ops, std::span<const Value> pool) : lex_(text), ops_(ops), pool_(pool) {}

  Result<Program> run() {
    try {
      parse_program();
      return std::move(program_);
    } catch (const SyntaxError& e) {
      Diag diag = error("F8-0201", e.message);
      diag.place.source_file = "text";
      diag.place.source_line = lex_.line();
      return diag;
    }
  }

 private:
  void parse_program() {
    if (!lex_.accept_word("program")) lex_.fail("expected 'program'");
    if (!lex_.accept_word("form")) lex_.fail("expected 'form='");
    lex_.expect('=');
    const auto form = form_from_name(lex_.word());
    if (!form) lex_.fail("form is torch, int8, packed or placed");
    program_.form = *form;
    if (lex_.accept_word("name")) {
      lex_.expect('=');
      program_.name = lex_.quoted();
    }
    lex_.expect('{');
    while (!lex_.accept('}')) statement();
  }

  void statement() {
    if (lex_.accept_word("in")) {
      const std::string name = new_name();
      lex_.expect(':');
      program_.inputs.push_back(typed_value(name));
    } else if (lex_.accept_word("const")) {
      constant();
    } else if (lex_.accept_word("out")) {
      program_.outputs = references();
    } else {
      node();
    }
  }

  std::string new_name() {
    lex_.expect('%');
    std::string name = lex_.word();
    if (program_.find(name) != ValueId::none) lex_.fail(fmt::format("%{} is defined twice", name));
    return name;
  }

  // A reference may be "_", an absent operand.
  ValueId reference() {
    if (lex_.accept_word("_")) return ValueId::none;
    lex_.expect('%');
    const std::string name = lex_.word();
    const ValueId id = program_.find(name);
    if (id == ValueId::none) lex_.fail(fmt::format("%{} is not defined", name));
    return id;
  }

  std::vector<ValueId> references() {
    std::vector<ValueId> ids;
    if (lex_.peek() != '%' && lex_.peek() != '_') return ids;
    do ids.push_back(reference());
    while (lex_.accept(','));
    return ids;
  }

  std::vector<int64_t> integer_list() {
    std::vector<int64_t> list;
    lex_.expect('[');
    while (!lex_.accept(']')) {
      list.push_back(lex_.integer());
      lex_.accept(',');
    }
    return list;
  }

  // No core addresses 2^31 elements.
  Shape shape() {
    Shape sizes = integer_list();
    const auto elems = checked_elems(sizes);
    if (!elems || *elems > INT32_MAX)
      lex_.fail(fmt::format("{} is not a shape of fewer than 2^31 elements", shape_text(sizes)));
    return sizes;
  }

  Type type() {
    struct Kind {
      const char* name;
      Elem elem;
      bool quantized;
    };
    static constexpr Kind kKinds[] = {
        {"f32", Elem::f32, false},      {"i8", Elem::i8, false},           {"i16", Elem::i16, false},
        {"i32", Elem::i32, false},      {"i64", Elem::i64, false},         {"u8", Elem::u8, false},
        {"bool", Elem::boolean, false}, {"rescale", Elem::rescale, false}, {"q8", Elem::i8, true},
        {"q16", Elem::i16, true},       {"q32", Elem::i32, true}};
    const std::string name = lex_.word();
    for (const Kind& kind : kKinds)
      if (name == kind.name) {
        Type result{kind.elem, shape(), std::nullopt};
        if (kind.quantized) result.quant = quantization();
        return result;
      }
    lex_.fail(fmt::format("there is no type '{}'", name));
  }

  Quant quantization() {
    Quant q;
    if (!lex_.accept_word("scale")) lex_.fail("expected 'scale='");
    lex_.expect('=');
    if (lex_.accept('{')) {
      while (!lex_.accept('}')) q.scales.push_back(lex_.number());
      if (!lex_.accept_word("axis")) lex_.fail("expected 'axis='");
      lex_.expect('=');
      q.axis = lex_.int32();
    } else {
      q.scales.push_back(lex_.number());
    }
    if (!lex_.accept_word("zero")) lex_.fail("expected 'zero='");
    lex_.expect('=');
    q.zero = lex_.int32();
    return q;
  }

  ValueId typed_value(std::string name) {
    const ValueId id = program_.add_value(std::move(name), type());
    if (lex_.accept_word("arena")) {
      lex_.expect('=');
      program_[id].offset = lex_.integer();
    }
    if (lex_.accept_word("buffer")) {
      lex_.expect('=');
      program_[id].buffer = buffer();
    }
    if (lex_.accept_word("order")) {
      lex_.expect('=');
      program_[id].order = integer_list();
    }
    return id;
  }

  Buffer buffer() {
    const std::string name = lex_.word();
    if (name == "caller") return Buffer::caller;
    if (name == "consumed") return Buffer::consumed;
    lex_.fail(fmt::format("expected 'caller' or 'consumed', found '{}'", name));
  }

  void constant() {
    const std::string name = new_name();
    lex_.expect(':');
    const Type value_type = type();
    lex_.expect('=');
    program_.add_constant(name, value_type, data(value_type));
  }

  TensorPtr data(const Type& value_type) {
    constexpr int64_t kMaxBytes = int64_t{256} << 20;  // far beyond what a microcontroller addresses
    const auto bytes = static_cast<int64_t>(value_type.bytes());
    if (bytes > kMaxBytes - constant_bytes_)
      lex_.fail(fmt::format("the program's constants need more than {} bytes", kMaxBytes));
    constant_bytes_ += bytes;
    if (lex_.accept_word("hash")) return pooled(lex_.word());
    if (lex_.accept_word("seed")) return seeded_data(value_type);
    lex_.expect('{');
    auto tensor = std::make_shared<Tensor>(value_type.elem, value_type.shape);
    for (int64_t i = 0; i < value_type.elems(); ++i) element(*tensor, static_cast<size_t>(i));
    lex_.expect('}');
    return tensor;
  }

  TensorPtr pooled(const std::string& hash) {
    for (const Value& value : pool_)
      if (value.constant && fmt::format("{:016x}", content_hash(*value.constant)) == hash) return value.constant;
    lex_.fail(fmt::format("no constant with hash {} is known here", hash));
  }

  TensorPtr seeded_data(const Type& value_type) {
    lex_.expect('(');
    const auto seed = static_cast<uint64_t>(lex_.integer());
    lex_.expect(',');
    const int64_t lo = lex_.integer();
    lex_.expect(',');
    const int64_t hi = lex_.integer();
    lex_.expect(')');
    if (hi < lo) lex_.fail("seed(s, lo, hi) needs lo <= hi");
    auto tensor = std::make_shared<Tensor>(value_type.elem, value_type.shape);
    for (size_t i = 0; i < static_cast<size_t>(value_type.elems()); ++i) store(*tensor, i, seeded(seed, i, lo, hi));
    return tensor;
  }

  void element(Tensor& tensor, size_t i) {
    if (tensor.elem == Elem::f32) {
      tensor.as<float>()[i] = static_cast<float>(lex_.number());
    } else if (tensor.elem == Elem::rescale) {
      const int32_t multiplier = lex_.int32();
      tensor.as<quant::Rescale>()[i] = {multiplier, lex_.int32()};
    } else {
      store(tensor, i, lex_.integer());
    }
  }

  template <class T>
  void store_as(Tensor& tensor, size_t i, int64_t value) {
    if (!std::in_range<T>(value)) lex_.fail(fmt::format("{} does not fit {}", value, elem_name(tensor.elem)));
    tensor.as<T>()[i] = static_cast<T>(value);
  }

  void store(Tensor& tensor, size_t i, int64_t value) {
    switch (tensor.elem) {
      case Elem::i8: return store_as<int8_t>(tensor, i, value);
      case Elem::u8:
      case Elem::boolean: return store_as<uint8_t>(tensor, i, value);
      case Elem::i16: return store_as<int16_t>(tensor, i, value);
      case Elem::i32: return store_as<int32_t>(tensor, i, value);
      case Elem::i64: return store_as<int64_t>(tensor, i, value);
      case Elem::f32: tensor.as<float>()[i] = static_cast<float>(value); return;
      case Elem::rescale: lex_.fail("a rescale table is written in full");
    }
  }

  Attr attribute_value() {
    if (lex_.peek() == '[') return integer_list();
    if (lex_.peek() == '"') return lex_.quoted();
    const std::string text = lex_.word();
    const bool real = text.find_first_of(".xXn") != std::string::npos;  // 0x1p-3, 0.5, inf, nan
    char* end = nullptr;
    const Attr value =
        real ? Attr(std::strtod(text.c_str(), &end)) : Attr(int64_t{std::strtoll(text.c_str(), &end, 10)});
    if (*end != '\0') lex_.fail(fmt::format("expected a number, list or string, found '{}'", text));
    return value;
  }

  Place place() {
    Place p;
    lex_.expect('(');
    p.source_file = lex_.quoted();
    lex_.expect(',');
    p.source_line = lex_.int32();
    for (std::string* field : {&p.source_text, &p.function, &p.module_path, &p.node}) {
      lex_.expect(',');
      *field = lex_.quoted();
    }
    lex_.expect(')');
    return p;
  }

  void node() {
    std::vector<std::string> names;
    do names.push_back(new_name());
    while (lex_.accept(','));
    lex_.expect('=');
    Node node;
    const std::string op = lex_.word();
    node.op = find_op(ops_, op);
    if (node.op == nullptr) lex_.fail(fmt::format("there is no op '{}'", op));
    node.inputs = references();
    while (lex_.peek() != ':') {
      const std::string key = lex_.word();
      lex_.expect('=');
      node.attrs.set(key, attribute_value());
    }
    lex_.expect(':');
    for (size_t i = 0; i < names.size(); ++i) {
      if (i > 0) lex_.expect(',');
      node.outputs.push_back(typed_value(names[i]));
    }
    node.name = names[0];
    if (lex_.accept_word("name")) {
      lex_.expect('=');
      node.name = lex_.quoted();
    }
    while (lex_.accept_word("at")) node.places.push_back(place());
    program_.nodes.push_back(std::move(node));
  }

  Lexer lex_;
  OpTable ops_;
  std::span<const Value> pool_;
  Program program_;
  int64_t constant_bytes_ = 0;
};

}  // namespace

Result<Program> parse(std::string_view text, OpTable ops, std::span<const Value> pool) {
  return Parser(text, ops, pool).run();
}

}  // namespace fold8::ir
