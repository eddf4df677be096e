#include "check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <map>
#include <sstream>

#include "backend/compile.h"
#include "driver/samples.h"
#include "interp/interpreter.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "ops/ops.h"
#include "passes/passes.h"

namespace fold8::f8 {
namespace {

using namespace ir;

struct Failure {
  std::string what;
};

constexpr int kGeneratedSamples = 2;  // of noise; make_samples() adds three constants

// Any row serves where a diagnostic is expected before an ISA matters.
constexpr const char* kAnyTarget = "cortex-m4";

const std::map<std::string, passes::Pass> kPasses = {
    {"drop_dead", passes::drop_dead},
    {"fold_constants", passes::fold_constants},
    {"fuse_clamp", passes::fuse_clamp},
    {"spread_qparams", passes::spread_qparams},
    {"fold_qparams", passes::fold_qparams},
    {"align_qparams", passes::align_qparams},
    {"drop_float_ends", passes::drop_float_ends},
    {"simplify", passes::simplify},
    {"assign_layout", passes::assign_layout},
    {"drop_channels", passes::drop_channels},
    {"merge_requantizes", passes::merge_requantizes},
};

// A stage that ends with the node `last`, in as many tiles as "2x3" says.
void patch_up_to(Program& p, const std::string& tiles, const std::string& last) {
  int64_t rows = 0, columns = 0;
  char cross = 0;
  std::istringstream(tiles) >> rows >> cross >> columns;
  for (const passes::Stage& stage : passes::patchable_stages(p))
    if (cross == 'x' && p.nodes[stage.end - 1].name == last)
      return passes::patch(p, ops::core(), stage, rows, columns);
  throw Failure{fmt::format("there is no stage that ends with '{}' for '{}'", last, tiles)};
}

// Runs the case's pass: one of kPasses, or one that takes words besides.
Result<> run_pass(const Case& test, Program& p, passes::Context& context) {
  std::istringstream words(test.pass);
  std::vector<std::string> rest{std::istream_iterator<std::string>(words), {}};
  const std::string name = rest.front();
  rest.erase(rest.begin());
  const auto says = [&](const char* word) { return std::ranges::count(rest, word) != 0; };
  if (const auto found = kPasses.find(name); found != kPasses.end() && rest.empty()) return found->second(p, context);
  if (name == "copy_constant_outputs") {
    passes::copy_constant_outputs(p, ops::core());
  } else if (name == "own_ends") {
    passes::own_ends(p, ops::core(), {says("inputs"), says("outputs"), says("consume")});
  } else if (name == "patch" && rest.size() == 2) {
    patch_up_to(p, rest[0], rest[1]);
  } else {
    throw Failure{fmt::format("there is no pass '{}'", test.pass)};
  }
  return ok;
}

template <class T>
T expect(Result<T> result, const char* stage) {
  if (!result) throw Failure{fmt::format("{}: {}", stage, format(result.errors()))};
  return std::move(*result);
}

// ---- numbers

std::string number_text(const Tensor& tensor, size_t i) {
  if (tensor.elem == Elem::f32) return fmt::format("{:a}", tensor.as<float>()[i]);
  return std::to_string(tensor.as<int8_t>()[i]);
}

bool same(const Tensor& got, const Tensor& want, size_t i, int steps) {
  if (want.elem != Elem::f32) return std::abs(got.as<int8_t>()[i] - want.as<int8_t>()[i]) <= steps;
  return std::memcmp(&got.as<float>()[i], &want.as<float>()[i], sizeof(float)) == 0;
}

std::optional<std::string> difference(const Tensor& got, const Tensor& want, int steps) {
  if (got.elem != want.elem || got.shape != want.shape)
    return fmt::format("got {}{}, expected {}{}", elem_name(got.elem), shape_text(got.shape), elem_name(want.elem),
                       shape_text(want.shape));
  const auto elems = static_cast<size_t>(elem_count(want.shape));
  size_t first = elems, count = 0;
  for (size_t i = 0; i < elems; ++i) {
    if (same(got, want, i, steps)) continue;
    first = std::min(first, i);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return fmt::format("element {}: got {}, expected {}; {} of {} differ", first, number_text(got, first),
                     number_text(want, first), count, elems);
}

void store(Tensor& tensor, size_t i, double value) {
  if (tensor.elem == Elem::f32) {
    tensor.as<float>()[i] = static_cast<float>(value);
  } else if (tensor.elem == Elem::i8 && value >= -128 && value <= 127) {
    tensor.as<int8_t>()[i] = static_cast<int8_t>(value);
  } else {
    throw Failure{fmt::format("{} is not a value of {}", value, elem_name(tensor.elem))};
  }
}

using Dims = std::vector<int64_t>;

// y[i...] = tensor[...] where dimension k of y is dimension dims[k] of the tensor.
Tensor permuted(const Tensor& tensor, const Dims& dims) {
  if (dims.empty()) return tensor;
  Shape shape;
  for (int64_t d : dims) shape.push_back(tensor.shape[static_cast<size_t>(d)]);
  std::vector<size_t> stride(dims.size(), elem_bytes(tensor.elem));
  for (size_t i = stride.size() - 1; i-- > 0;) stride[i] = stride[i + 1] * static_cast<size_t>(tensor.shape[i + 1]);
  Tensor result(tensor.elem, shape);
  const size_t width = elem_bytes(tensor.elem);
  for (size_t flat = 0; flat * width < result.bytes.size(); ++flat) {
    size_t from = 0;
    for (size_t i = dims.size(), rest = flat; i-- > 0; rest /= static_cast<size_t>(shape[i]))
      from += rest % static_cast<size_t>(shape[i]) * stride[static_cast<size_t>(dims[i])];
    std::copy_n(tensor.bytes.begin() + static_cast<ptrdiff_t>(from), width,
                result.bytes.begin() + static_cast<ptrdiff_t>(flat * width));
  }
  return result;
}

// Value::order of an input. Outputs have none, though one may be an input's value.
Dims order_of(const Program& p, const std::vector<ValueId>& ends, size_t i) {
  return &ends == &static_cast<const std::vector<ValueId>&>(p.inputs) ? p[ends[i]].order : Dims{};
}

Dims inverse(const Dims& dims) {
  Dims result(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) result[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  return result;
}

// Seeded floats are the integers in 32nds, as driver::make_samples has them.
Tensor tensor_of(const Literal& literal, const Type& type) {
  Tensor tensor(type.elem, type.shape);
  const auto elems = static_cast<size_t>(type.elems());
  if (!literal.is_seed && literal.numbers.size() != elems)
    throw Failure{fmt::format("{} numbers for {} elements", literal.numbers.size(), elems)};
  for (size_t i = 0; i < elems; ++i) {
    const double unit = type.elem == Elem::f32 ? 1.0 / 32 : 1.0;
    store(tensor, i,
          literal.is_seed ? static_cast<double>(seeded(literal.seed, i, literal.lo, literal.hi)) * unit
                          : literal.numbers[i]);
  }
  return tensor;
}

std::vector<Tensor> tensors_of(const std::vector<Literal>& literals, const Program& p, const std::vector<ValueId>& ends,
                               const char* what) {
  if (literals.size() != ends.size())
    throw Failure{fmt::format("{} {}s are given, the program has {}", literals.size(), what, ends.size())};
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < ends.size(); ++i) {
    const Dims order = order_of(p, ends, i);
    Type exported = p.type(ends[i]);
    exported.shape = permuted(Tensor(exported.elem, exported.shape), inverse(order)).shape;
    tensors.push_back(permuted(tensor_of(literals[i], exported), order));
  }
  return tensors;
}

Samples interpreted(const Program& p, const Samples& inputs) {
  Samples outputs;
  for (const auto& sample : inputs) outputs.push_back(interp::run(p, sample));
  return outputs;
}

// ---- passes

void check_round_trip(const Program& p) {
  if (const auto failure = round_trip(p)) throw Failure{*failure};
}

std::vector<std::string> printed_lines(const Program& p) {
  std::vector<std::string> lines;
  std::istringstream in(print(p));
  for (std::string line; std::getline(in, line);)
    lines.push_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  return lines;
}

void check_lines(const Case& test, const Program& p) {
  const std::vector<std::string> lines = printed_lines(p);
  auto at = lines.begin();
  for (const std::string& wanted : test.expects) {
    at = std::find(at, lines.end(), wanted);
    if (at == lines.end()) throw Failure{fmt::format("no such line, or not in this order: {}\n{}", wanted, print(p))};
    ++at;
  }
  for (const std::string& unwanted : test.absents)
    for (const std::string& line : lines)
      if (line.find(unwanted) != std::string::npos) throw Failure{fmt::format("'{}' stands in: {}", unwanted, line)};
}

// Each text in a diagnostic of its own, none left over.
void check_diags(const std::vector<std::string>& texts, Diags diags, const char* what) {
  for (const std::string& text : texts) {
    const auto found =
        std::ranges::find_if(diags, [&](const Diag& diag) { return format(diag).find(text) != std::string::npos; });
    if (found == diags.end()) throw Failure{fmt::format("no {} holds '{}'; there are:\n{}", what, text, format(diags))};
    diags.erase(found);
  }
  if (!diags.empty()) throw Failure{fmt::format("one {} too many: {}", what, format(diags.front()))};
}

Program parsed(const Case& test) { return expect(parse(test.program, ops::table()), "parse"); }

passes::Context context_of_ops() {
  return {.core = ops::core()};
}

// The int8 form of `p`, with the ends the case asks for.
Result<Program> lowered(const Case& test, Program p, passes::Context& context) {
  const auto ends = test.has("float_ends") ? passes::Ends::float32 : passes::Ends::int8;
  if (p.form == Form::torch) {
    F8_CHECK(passes::lower(p, context, ends));
  } else {
    F8_CHECK(ir::verify(p));
  }
  return p;
}

// After a pass that led from torch to int8 form, the ends are still float.
Program with_ends(const Case& test, Program p, Form before, passes::Context& context) {
  if (before == Form::torch && p.form == Form::int8 && !test.has("float_ends")) {
    expect(passes::drop_float_ends(p, context), "drop_float_ends");
    p.compact();
  }
  return p;
}

// A float end is the real of the other program's int8 end.
Tensor with_elem_of(const Type& wanted, const Tensor& tensor, const Type& type) {
  if (wanted.elem == tensor.elem) return tensor;
  require(wanted.elem == Elem::f32 && type.is_q8(), "passes only take float ends away");
  Tensor reals(Elem::f32, tensor.shape);
  for (size_t i = 0; i < tensor.as<int8_t>().size(); ++i)
    reals.as<float>()[i] =
        static_cast<float>(tensor.as<int8_t>()[i] - type.quant->zero) * static_cast<float>(type.quant->scale());
  return reals;
}

// The pass must not change a number. `before` and `after` are in int8 form.
void check_equal_results(const Program& before, const Program& after, const Samples& inputs) {
  const Samples want = interpreted(before, as_ends_of(before, before.inputs, inputs, after, after.inputs));
  const Samples got = as_ends_of(before, before.outputs, interpreted(after, inputs), after, after.outputs);
  if (const auto what = f8::difference(got, want)) throw Failure{"the pass changes results: " + *what};
}

Samples generated(const Program& p) { return driver::make_samples(p, kGeneratedSamples).inputs; }

// The program after the case's pass, checked and lowered.
Program passed(const Case& test, const Program& original, passes::Context& context) {
  Program after = original;
  expect(run_pass(test, after, context), test.pass.c_str());
  after.compact();
  expect(ir::verify(after), "verify after the pass");
  check_round_trip(after);
  check_lines(test, after);
  passes::Context silent = context_of_ops();
  after = expect(lowered(test, with_ends(test, after, original.form, silent), silent), "lower after the pass");
  // A program that needs the pass to be valid has no meaning before it: its run lines are the proof.
  auto before = lowered(test, original, silent);
  if (!before && test.runs.empty())
    throw Failure{"the program is not valid before the pass, so the case needs run lines"};
  if (before) check_equal_results(*before, after, generated(after));
  return after;
}

// ---- the whole

void check_runs(const Case& test, Prepared& prepared) {
  const Program& p = prepared.program;
  for (const Run& run : test.runs) {
    try {
      const auto inputs = tensors_of(run.inputs, p, p.inputs, "input");
      prepared.inputs.push_back(inputs);
      prepared.outputs.push_back(interp::run(p, inputs));
      if (run.outputs.empty()) continue;
      const auto want = tensors_of(run.outputs, p, p.outputs, "output");
      if (const auto what = f8::difference({prepared.outputs.back()}, {want}, run.one_step_off ? 1 : 0))
        throw Failure{*what};
    } catch (const Failure& failure) {
      throw Failure{fmt::format("run in line {}: {}", run.line, failure.what)};
    }
  }
  if (!test.runs.empty() && !test.has("sweep")) return;
  for (auto& sample : generated(p)) {
    prepared.outputs.push_back(interp::run(p, sample));
    prepared.inputs.push_back(std::move(sample));
  }
}

Result<> compiled(const Case& test) {
  F8_TRY(Program p, parse(test.program, ops::table()));
  passes::Context context = context_of_ops();
  if (!test.pass.empty()) return run_pass(test, p, context);
  F8_TRY(p, lowered(test, std::move(p), context));
  F8_TRY(const target::Target target, target::find_target(kAnyTarget));
  F8_CHECK(backend::compile(std::move(p), target));
  return ok;
}

void check_errors(const Case& test) {
  auto result = compiled(test);
  if (result) throw Failure{fmt::format("no diagnostic, expected '{}'", test.errors[0])};
  check_diags(test.errors, result.take_errors(), "error");
}

Prepared prepared(const Case& test) {
  const Program original = parsed(test);
  check_round_trip(original);
  passes::Context context = context_of_ops();
  Prepared result{test, {}, {}, {}};
  if (test.pass.empty()) {
    result.program = expect(lowered(test, original, context), "lower");
    check_lines(test, result.program);
  } else {
    result.program = passed(test, original, context);
  }
  if (!test.reports.empty()) check_diags(test.reports, context.reports, "report");
  check_round_trip(result.program);
  check_runs(test, result);
  return result;
}

}  // namespace

Samples as_ends_of(const Program& wanted, const std::vector<ValueId>& wanted_ends, const Samples& samples,
                   const Program& p, const std::vector<ValueId>& ends) {
  Samples converted = samples;
  for (auto& sample : converted)
    for (size_t i = 0; i < sample.size(); ++i) {
      const Tensor exported = permuted(sample[i], inverse(order_of(p, ends, i)));
      sample[i] = permuted(with_elem_of(wanted.type(wanted_ends[i]), exported, p.type(ends[i])),
                           order_of(wanted, wanted_ends, i));
    }
  return converted;
}

std::optional<std::string> round_trip(const Program& p) {
  const std::string text = print(p);
  auto again = parse(text, ops::table(), p.values);
  if (!again) return fmt::format("what was printed does not parse: {}{}", format(again.errors()), text);
  if (print(*again) != text)
    return fmt::format("printed, parsed and printed again:\n{}before:\n{}", print(*again), text);
  return std::nullopt;
}

std::optional<std::string> difference(const Samples& got, const Samples& want, int steps) {
  require(got.size() == want.size(), "results of the same samples are compared");
  for (size_t s = 0; s < want.size(); ++s)
    for (size_t i = 0; i < want[s].size(); ++i)
      if (const auto what = difference(got[s][i], want[s][i], steps))
        return fmt::format("output {}, sample {}, {}", i, s, *what);
  return std::nullopt;
}

Checked prepare(const Case& test) {
  try {
    if (test.errors.empty()) return {prepared(test), std::nullopt};
    check_errors(test);
    return {};
  } catch (const Failure& failure) {
    return {std::nullopt, failure.what};
  } catch (const std::exception& bug) {
    return {std::nullopt, fmt::format("compiler bug: {}", bug.what())};
  }
}

}  // namespace fold8::f8
