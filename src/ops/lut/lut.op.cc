// lut: a function of one element, as a table of all its values.
//
//   torch   lut %x [%other] function="silu" [alpha=...]     f32; a row of functions.h, with numbers for its parameters
//           lut %x, %table                                  q8 -> q8 already there, where passes made the table
//   int8    lut %x, %table [clamp=[lo,hi]]    %table: i8[256,1]; entry v + 128 is the result of element v. The
//           dimensions behind the first broadcast to x: i8[256,C,1,1] is a table for each channel
//   packed  lut %x, %table                    %table: i8[C,256] by channel, each in the order of the unsigned bytes;
//           channels=[outer,C,inner] where there are several: x is [outer][C][inner]
//
// In reals, an op of the model; passes evaluate whole chains of them into one table (docs/arithmetic.md "Tables").
#include "ops/lut/functions.h"

#include <algorithm>

#include "ir/reals.h"
#include "ops/constants.h"

namespace fold8::ops {

using namespace ir;
extern const OpDef op_lut;
extern const OpDef op_reshape;

namespace {

constexpr int64_t kEntries = 256;

// ---- import

const Function* find_function(std::string_view name) {
  const auto found = std::ranges::find(function::kRows, name, &Function::name);
  return found == std::end(function::kRows) ? nullptr : found;
}

// The weight of each channel stands along dimension 1; a single one, anywhere.
Result<ValueId> along_channels(ImportCall& call, ValueId x, ValueId weight) {
  const size_t rank = call.program.type(x).shape.size();
  const int64_t count = call.program.type(weight).elems();
  if (count == 1 || rank < 3) return weight;
  Attrs attrs;
  Shape shape(rank - 1, 1);
  shape[0] = count;
  attrs.set("shape", shape);
  return call.emit(op_reshape, {weight}, attrs, false);
}

// The schemas' only texts choose between two formulas.
Result<double> number(const ImportCall& call, std::string_view name) {
  const auto* text = std::get_if<std::string>(&call.args.find(name)->second);
  if (text == nullptr) return call.number(name);
  if (*text == "none" || *text == "tanh") return *text == "none" ? 0.0 : 1.0;
  return call.fail("F8-0110", fmt::format("argument '{}' is '{}', expected 'none' or 'tanh'", name, *text));
}

Result<> import(ImportCall& call) {
  const auto row = std::ranges::find(function::kRows, call.row->target, &Function::target);
  require(row != std::end(function::kRows), "every target has its row");
  Attrs attrs;
  attrs.set("function", std::string(row->name()));
  std::vector<ValueId> operands;
  for (const Param& param : row->params) {
    if (operands.size() < row->operands) {
      F8_TRY(const ValueId id, call.tensor(param.name));
      operands.push_back(id);
    } else {
      F8_TRY(const double value, number(call, param.name));
      attrs.set(param.name, value);
    }
  }
  if (row->params.back().name == "weight") {
    F8_TRY(operands.back(), along_channels(call, operands[0], operands.back()));
  }
  F8_CHECK(call.emit(op_lut, operands, attrs));
  return ok;
}

constexpr size_t kImported = static_cast<size_t>(std::ranges::count_if(function::kRows, &Function::is_imported));

consteval std::array<ImportRow, kImported> import_rows() {
  std::array<ImportRow, kImported> rows;
  size_t i = 0;
  for (const Function& f : function::kRows)
    if (f.is_imported()) rows[i++] = {f.target, f.params, import};
  return rows;
}
constexpr auto kImports = import_rows();

// ---- in reals

std::span<const Param> numbers_of(const Function& f) { return f.params.subspan(f.operands); }

const Function& function_of(const Node& node) { return *find_function(node.attrs.text("function")); }

double real(const Node& node, std::span<const double> x) {
  const Function& f = function_of(node);
  std::array<double, 4> numbers{};
  size_t n = 0;
  for (const Param& param : numbers_of(f)) numbers[n++] = node.attrs.number(param.name);
  return f.real(x.data(), numbers.data());
}

std::optional<FixedResult> fixed_result(const Node& node) {
  return node.attrs.has("function") ? function_of(node).fixed : std::nullopt;
}

Result<std::vector<Type>> infer_function(const Program& p, const Node& node) {
  const Attr* attr = node.attrs.find("function");
  const auto* name = attr == nullptr ? nullptr : std::get_if<std::string>(attr);
  const Function* f = name == nullptr ? nullptr : find_function(*name);
  if (f == nullptr) return bad_operand("needs function=, one of src/ops/lut/functions.h, or a table");
  F8_CHECK(expect_operands(node, f->operands, f->operands));
  for (const Param& param : numbers_of(*f)) {
    const Attr* number = node.attrs.find(param.name);
    if (number == nullptr || !std::holds_alternative<double>(*number))
      return bad_operand(fmt::format("{} needs {}=, a real number", *name, param.name));
  }
  Shape shape = p.type(node.inputs[0]).shape;
  for (const ValueId id : node.inputs) {
    if (p.type(id).elem != Elem::f32)
      return bad_operand(fmt::format("{} of {}; expected f32", *name, elem_name(p.type(id).elem)));
    const auto both = broadcast(shape, p.type(id).shape);
    if (!both)
      return bad_operand(fmt::format("shapes {} and {} do not broadcast", shape_text(shape),
                                     shape_text(p.type(id).shape)));
    shape = *both;
  }
  return std::vector{f32(shape)};
}

// ---- as integers

// The dimension of x whose elements have tables of their own; nullopt: all have one.
std::optional<size_t> axis_of(const Shape& table, size_t rank) {
  for (size_t i = 1; i < table.size(); ++i)
    if (table[i] != 1) return rank - (table.size() - i);
  return std::nullopt;
}

Result<> check_table(const Type& x, const Value& table) {
  const Shape& shape = table.type.shape;
  if (!table.is_constant() || table.type.elem != Elem::i8 || table.type.quant || shape.size() < 2 ||
      shape[0] != kEntries)
    return bad_operand("operand 1 is not a table: a constant i8[256,1], or of more dimensions that broadcast");
  const Shape behind(shape.begin() + 1, shape.end());
  const auto along = std::ranges::count_if(behind, [](int64_t size) { return size != 1; });
  if (behind.size() > std::max<size_t>(x.shape.size(), 1) || broadcast(x.shape, behind) != x.shape || along > 1)
    return bad_operand(fmt::format("a table {} does not broadcast to {} along one dimension", shape_text(shape),
                                   shape_text(x.shape)));
  return ok;
}

struct Channels {
  int64_t outer = 1;
  int64_t channels = 1;
  int64_t inner = 1;
};

Channels channels_of(const Node& node) {
  if (!node.attrs.has("channels")) return {};
  const auto& list = node.attrs.integers("channels");
  return {list[0], list[1], list[2]};
}

Result<> check_packed_table(const Node& node, const Type& x, const Value& table) {
  const Attr* attr = node.attrs.find("channels");
  const auto* list = attr == nullptr ? nullptr : std::get_if<std::vector<int64_t>>(attr);
  if (attr != nullptr && (list == nullptr || list->size() != 3 || std::ranges::any_of(*list, [](int64_t n) { return n < 1; }) ||
                          (*list)[0] * (*list)[1] * (*list)[2] != x.elems()))
    return bad_operand("channels=[outer,channels,inner] does not divide the operand");
  if (!table.is_constant() || table.type.elem != Elem::i8 ||
      table.type.shape != Shape{channels_of(node).channels, kEntries})
    return bad_operand("operand 1 is no packed table");
  return ok;
}

Result<std::vector<Type>> infer(const Program& p, const Node& node) {
  F8_CHECK(expect_operands(node, 1, 2));
  F8_CHECK(check_clamp(node));
  const Type& x = p.type(node.inputs[0]);
  if (p.form == Form::torch && x.elem == Elem::f32) return infer_function(p, node);
  if (!x.is_q8()) return bad_operand("operand 0 is not a quantized int8");
  if (!has_input(node, 1)) return bad_operand("has no table");
  F8_CHECK(p.form >= Form::packed ? check_packed_table(node, x, p[node.inputs[1]])
                                  : check_table(x, p[node.inputs[1]]));
  return std::vector{Type{Elem::i8, x.shape, std::nullopt}};
}

// What no pass made a table of.
Result<> integerize(Program& p, Node& node) {
  if (!node.attrs.has("function")) return ok;
  const auto activations =
      std::ranges::count_if(node.inputs, [&](ValueId id) { return !p[id].is_constant(); });
  const char* why = activations > 1 ? "of more than one value that is computed at run time"
                                    : "with constants that differ along more than one dimension";
  return not_integer(p, node, fmt::format("{} {}", node.attrs.text("function"), why));
}

std::optional<std::vector<int64_t>> permute_through(Program& p, Node& node, const std::vector<int64_t>& dims) {
  const Shape& old = p.type(node.inputs[1]).shape;
  if (!axis_of(old, dims.size())) return dims;
  const TensorPtr data = p[node.inputs[1]].constant;
  Shape shape(dims.size() + 1, 1);
  shape[0] = kEntries;
  std::copy(old.begin() + 1, old.end(), shape.end() - static_cast<ptrdiff_t>(old.size() - 1));
  std::vector<int64_t> with_entries = {0};
  for (int64_t d : dims) with_entries.push_back(d + 1);
  const ValueId wide = p.add_constant(p[node.inputs[1]].name, {Elem::i8, shape, {}},
                                      std::make_shared<Tensor>([&] { Tensor t = *data; t.shape = shape; return t; }()));
  node.inputs.set(1, add_unpermuted(p, wide, with_entries));
  return dims;
}

int8_t clamped(const Node& node, int8_t entry) {
  const Bounds bounds = clamp_bounds(node);
  return static_cast<int8_t>(quant::clamp(entry, bounds.lo, bounds.hi));
}

void evaluate(const Evaluation& e) {
  const auto x = e.in[0]->as<int8_t>();
  const auto table = e.in[1]->as<int8_t>();
  const auto y = e.out[0]->as<int8_t>();
  const Channels packed = channels_of(e.node);
  const Shape behind(e.in_type(1).shape.begin() + 1, e.in_type(1).shape.end());
  const int64_t tables = elem_count(behind);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto flat = static_cast<int64_t>(i);
    const int64_t at = e.program.form >= Form::packed
                           ? flat / packed.inner % packed.channels * kEntries + static_cast<uint8_t>(x[i])
                           : (x[i] + 128) * tables + broadcast_index(behind, e.in_type(0).shape, flat);
    y[i] = clamped(e.node, table[static_cast<size_t>(at)]);
  }
}

// ---- device

Result<> pack(Program& p, Node& node, const target::Target&, const target::CompileOptions&) {
  const Shape& x = p.type(node.inputs[0]).shape;
  const Value table = p[node.inputs[1]];
  const int64_t channels = table.type.elems() / kEntries;
  std::vector<int8_t> data;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t byte = 0; byte < kEntries; ++byte)
      data.push_back(clamped(node, table.constant->as<int8_t>()[static_cast<size_t>(
                                       (static_cast<int8_t>(byte) + 128) * channels + c)]));
  if (const auto axis = axis_of(table.type.shape, x.size())) {
    std::vector<int64_t> list = {1, channels, 1};
    for (size_t i = 0; i < x.size(); ++i)
      if (i != *axis) list[i < *axis ? 0 : 2] *= x[i];
    node.attrs.set("channels", list);
  }
  node.attrs.erase("clamp");
  const Shape shape = {channels, kEntries};
  node.inputs.set(1, p.add_constant(table.name, {Elem::i8, shape, {}}, make_tensor(Elem::i8, shape, data)));
  return ok;
}

KernelStruct channels_struct(const Channels& c) {
  return {"f8k::LutChannels", {{"outer", c.outer}, {"channels", c.channels}, {"inner", c.inner}}};
}

std::vector<KernelCall> calls(const Program& p, const Node& node, const target::Target&) {
  const int64_t elems = p.type(node.outputs[0]).elems();
  if (elems == 0) return {};
  const bool several = node.attrs.has("channels");
  return {{.function = several ? "f8k::lut_channels" : "f8k::lut",
           .header = "ops/lut/lut.kernel.h",
           .template_args = {},
           .args = {several ? KernelArg{channels_struct(channels_of(node))} : KernelArg{KernelInt{"elems", elems}},
                    KernelPointer{node.inputs[1]}, KernelPointer{node.inputs[0]}, KernelPointer{node.outputs[0]}}}};
}

// Tables of channels, where a row of an image [1,H,W,C] has them all.
std::optional<KernelCall> rows(const Program& p, const Node& node, const target::Target&) {
  const Type& y = p.type(node.outputs[0]);
  const int64_t height = y.shape[1];
  const int64_t width = y.elems() / height;
  Channels c = channels_of(node);
  const bool several = node.attrs.has("channels");
  if (several && c.channels * c.inner > width) return std::nullopt;
  c.outer /= height;
  return KernelCall{
      .function = several ? "f8k::LutChannelsRows" : "f8k::LutRows",
      .header = "ops/lut/lut.kernel.h",
      .template_args = {},
      .args = {several ? KernelArg{channels_struct(c)} : KernelArg{KernelInt{"elems", width}},
               KernelPointer{node.inputs[1]}, KernelRows{node.inputs[0], height, width},
               KernelRows{node.outputs[0], height, width}},
      .is_object = true};
}

}  // namespace

constexpr OpDef op_lut = {
    .name = "lut",
    .traits = trait::fuses_clamp,
    .quant = {.fixed = fixed_result},
    .access = {.elementwise = true},
    .imports = kImports,
    .infer = infer,
    .integerize = integerize,
    .real = real,
    .evaluate = evaluate,
    .permute_through = permute_through,
    .pack = pack,
    .rows = rows,
    .calls = calls,
};
static_assert(complete(op_lut));

}  // namespace fold8::ops
