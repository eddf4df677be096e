#include "driver/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>

#include "base/files.h"
#include "base/interrupt.h"
#include "driver/bench.h"
#include "driver/compiler.h"
#include "driver/npy.h"
#include "driver/samples.h"
#include "driver/verify.h"
#include "emit/emit.h"
#include "emit/names.h"
#include "interp/interpreter.h"
#include "ir/text.h"

namespace fold8::driver {
namespace {

using namespace ir;

constexpr int64_t kMadeSamples = 13;  // of noise, when verify is given no input
constexpr int64_t kMostTiles = 16;    // along an axis

// Everything the command line can say.
struct Arguments {
  std::string model;
  std::vector<std::string> bind;
  std::string input_layout = "nhwc";
  std::string io;  // "int8", "float32"; empty: the command's default
  std::string target = "cortex-m4";
  std::string targets = "all";
  std::string folder;
  std::string name;
  std::string form = "int8";
  std::string prefer = "speed";
  bool extra_weight_flash = false;
  std::vector<std::string> caller_owns;
  bool consume_input = false;
  int64_t ram_bytes = 0;
  std::string patch;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  board::Toolchain toolchain;
  bool link = false;
  bool json = false;
};

Result<std::map<std::string, int64_t>> parse_bind(const std::vector<std::string>& list) {
  std::map<std::string, int64_t> bind;
  for (const std::string& item : list) {
    const size_t equals = item.find('=');
    int64_t size = 0;
    const char* end = item.data() + item.size();
    const bool number =
        equals != std::string::npos && equals > 0 && std::from_chars(item.data() + equals + 1, end, size).ptr == end;
    if (!number || equals + 1 == item.size() || size < 0)
      return error("F8-0404", fmt::format("--bind {}: expected NAME=SIZE, as in --bind s0=1", item));
    bind[item.substr(0, equals)] = size;
  }
  return bind;
}

Result<ModelOptions> model_options(const Arguments& a, passes::Ends fallback = passes::Ends::int8) {
  F8_TRY(auto bind, parse_bind(a.bind));
  const passes::Ends ends = a.io.empty() ? fallback : a.io == "int8" ? passes::Ends::int8 : passes::Ends::float32;
  const auto layout = a.input_layout == "nhwc" ? passes::InputLayout::nhwc : passes::InputLayout::nchw;
  passes::CallerOwns owns{.consume_inputs = a.consume_input};
  for (const std::string& end : a.caller_owns) (end == "input" ? owns.inputs : owns.outputs) = true;
  if (owns.consume_inputs && !owns.inputs)
    return error("F8-0404", "--consume-input is about buffers of the caller's own: add --caller-owns input");
  return ModelOptions{std::move(bind), ends, layout, owns};
}

void say(const Diags& diags) { std::cerr << format(diags); }

std::string default_name(const std::filesystem::path& model) { return emit::model_name(model.stem().string()); }

Result<> parse_patch(const std::string& text, target::CompileOptions& options) {
  const char* const end = text.data() + text.size();
  const auto rows = std::from_chars(text.data(), end, options.patch_rows);
  const bool cross = rows.ptr != end && *rows.ptr == 'x';
  const bool read = rows.ec == std::errc() && cross &&
                    std::from_chars(rows.ptr + 1, end, options.patch_columns).ptr == end && rows.ptr + 1 != end;
  if (!read || std::min(options.patch_rows, options.patch_columns) < 1 ||
      std::max(options.patch_rows, options.patch_columns) > kMostTiles)
    return error("F8-0404", fmt::format("--patch {}: expected ROWSxCOLUMNS, as in --patch 3x3, each at most {}", text,
                                        kMostTiles));
  return ok;
}

Result<target::CompileOptions> compile_options(const Arguments& a) {
  target::CompileOptions options{.prefer = a.prefer == "size" ? target::Prefer::size : target::Prefer::speed,
                                 .extra_weight_flash = a.extra_weight_flash,
                                 .ram_bytes = a.ram_bytes};
  if (!a.patch.empty()) F8_CHECK(parse_patch(a.patch, options));
  return options;
}

// ---- compile

std::string ends_line(const Program& p, const char* what, const std::vector<ValueId>& ids) {
  std::string out;
  for (ValueId id : ids) {
    const Type& type = p.type(id);
    out += fmt::format("  {:<8} {}: {}{}", what, p[id].name, elem_name(type.elem), shape_text(type.shape));
    if (p[id].buffer != Buffer::arena)
      out += fmt::format(", {} bytes in a buffer of the caller's{}", type.bytes(),
                         p[id].buffer == Buffer::consumed ? ", consumed" : "");
    if (type.quant) out += fmt::format(", scale {:.9g}, zero point {}", type.quant->scale(), type.quant->zero);
    out += "\n";
  }
  return out;
}

// What is computed in tiles, and its price.
void print_patch(const Compiled& compiled, int64_t macs) {
  if (!compiled.patch) return;
  const backend::Patch& patch = *compiled.patch;
  std::cout << fmt::format(
      "  {:<8} all up to {} in {}x{} tiles: {} MACs more, {:.1f} %; whole, the arena would be {} bytes\n", "patch",
      patch.last, patch.rows, patch.columns, compiled.macs - macs,
      100.0 * static_cast<double>(compiled.macs - macs) / static_cast<double>(macs), patch.whole_bytes);
}

// Which ops run by rows in turns, and what the arena gains by it.
void print_turns(const Compiled& compiled) {
  const char* what = "turns";
  for (const plan::Unit& unit : compiled.plan.units) {
    if (!unit.is_stream()) continue;
    std::string names;
    for (size_t i = unit.first; i < unit.end; ++i)
      names += (names.empty() ? "" : " + ") + compiled.program.nodes[i].name;
    if (*what != '\0')
      names += fmt::format(": row by row; one by one, the arena would be {} bytes", compiled.plan.apart_bytes);
    std::cout << fmt::format("  {:<8} {}\n", what, names);
    what = "";
  }
}

struct Linked {
  board::Sizes sizes;
  int64_t stack_bound = 0;
};

// What each function takes of the code.
void print_functions(const std::vector<board::FunctionSize>& functions) {
  for (const board::FunctionSize& function : functions)
    std::cout << fmt::format("  {:<8} {} bytes: {}\n", "code", function.bytes, function.name);
}

Result<Linked> link(const Compiled& compiled, const emit::Emission& emission, const std::string& name) {
  F8_CHECK(board::check_compiler());
  F8_TRY(const TempFolder folder, TempFolder::make());
  F8_TRY(const board::Built built,
         board::build({.target = compiled.target,
                       .prefer = compiled.options.prefer,
                       .files = emission.files,
                       .models = {board_model(compiled, name)}},
                      folder.path()));
  F8_TRY(const std::vector<int64_t> bounds, board::stack_bounds(built));
  return Linked{built.sizes, bounds[0]};
}

Result<> compile_command(const Arguments& a) {
  F8_TRY(const target::Target target, target::find_target(a.target));
  F8_TRY(const target::CompileOptions choices, compile_options(a));
  F8_TRY(const ModelOptions options, model_options(a));
  const std::string name = a.name.empty() ? default_name(a.model) : a.name;
  if (const std::string objection = emit::name_objection(name); !objection.empty())
    return error("F8-0404", fmt::format("--name {}: {}", name, objection));
  F8_TRY(Int8Model model, load_int8(a.model, options));
  F8_TRY(const Compiled compiled, backend::compile(model.program, target, choices));
  const emit::Emission emission = emit::emit(compiled.program, compiled.plan, target, {.name = name});
  std::string code = "not linked here: add --link to have code and stack measured";
  std::string stack;
  Linked linked;
  if (a.link) {
    F8_TRY(linked, link(compiled, emission, name));
    code = fmt::format("{} bytes once linked ({})", linked.sizes.code_bytes, a.prefer == "size" ? "-Os" : "-O2");
    stack = fmt::format("; stack at most {} bytes", linked.stack_bound);
  }
  F8_CHECK(write_files(a.folder, emission.files));
  say(model.reports);

  const Program& p = compiled.program;
  std::cout << fmt::format("{}: {} ({} kernels)\n", name, target.cpu, target.isa) << ends_line(p, "input", p.inputs)
            << ends_line(p, "output", p.outputs);
  std::cout << fmt::format("  {:<8} {} bytes: one arena, aligned to {}; lower bound of this schedule {}{}\n", "RAM",
                           compiled.plan.arena_bytes, compiled.plan.align, compiled.plan.lower_bound_bytes, stack);
  std::cout << fmt::format("  {:<8} {} bytes of weights; code {}\n", "flash", emission.weight_bytes, code);
  const int64_t macs = passes::total_macs(model.program);
  print_patch(compiled, macs);
  print_turns(compiled);
  const std::string given =
      macs == model.macs_as_given ? "" : fmt::format(" ({} as given; the rest is dead channels)", model.macs_as_given);
  std::cout << fmt::format("  {:<8} {}{}\n", "MACs", macs, given);
  std::cout << fmt::format("  {:<8} {}/{{{}.h, {}.cpp, {}_kernels.h}}\n", "written", a.folder, name, name, name);
  for (const Node& node : p.nodes)
    if (const std::string why = why_plain(node); !why.empty())
      std::cout << fmt::format("  {:<8} {}: {}\n", "plain", node.name, why);
  print_functions(linked.sizes.functions);
  return ok;
}

// ---- print

Result<> print_command(const Arguments& a) {
  F8_TRY(const target::Target target, target::find_target(a.target));
  F8_TRY(const target::CompileOptions choices, compile_options(a));
  F8_TRY(const ModelOptions options, model_options(a));
  const Form form = *form_from_name(a.form);
  if (form == Form::torch) {
    F8_TRY(const Program program, load(a.model, options));
    if (program.form != Form::torch) return error("F8-0406", "the program has no torch form").in(a.model);
    std::cout << ir::print(program);
    return ok;
  }
  F8_TRY(Int8Model model, load_int8(a.model, options));
  say(model.reports);
  Program& program = model.program;
  if (form == Form::packed) F8_CHECK(passes::pack(program, target, choices));
  if (form == Form::placed) {
    F8_TRY(Compiled compiled, backend::compile(std::move(program), target, choices));
    std::cout << ir::print(compiled.program) << "\n" << plan::memory_map(compiled.program, compiled.plan);
    return ok;
  }
  std::cout << ir::print(program);
  return ok;
}

// ---- run

// Without --io the ends follow the first array: int8 arrays in, int8 arrays out.
Result<passes::Ends> ends_of_inputs(const Arguments& a) {
  if (a.inputs.empty()) return passes::Ends::float32;
  std::string file = a.inputs[0];
  if (!std::filesystem::exists(file) && file.find('=') != std::string::npos) file = file.substr(file.find('=') + 1);
  F8_TRY(const Tensor array, read_npy(file));
  return array.elem == Elem::i8 ? passes::Ends::int8 : passes::Ends::float32;
}

std::string preview(const Tensor& tensor) {
  fmt::memory_buffer out;
  const size_t shown = std::min<size_t>(static_cast<size_t>(elem_count(tensor.shape)), 64);
  for (size_t i = 0; i < shown; ++i) {
    if (tensor.elem == Elem::f32) {
      fmt::format_to(std::back_inserter(out), " {:.6g}", tensor.as<float>()[i]);
    } else {
      fmt::format_to(std::back_inserter(out), " {}", tensor.as<int8_t>()[i]);
    }
  }
  return fmt::to_string(out) + (shown < static_cast<size_t>(elem_count(tensor.shape)) ? " ..." : "");
}

Result<> run_command(const Arguments& a) {
  F8_TRY(const passes::Ends ends, ends_of_inputs(a));
  F8_TRY(const ModelOptions options, model_options(a, ends));
  F8_TRY(const Int8Model model, load_int8(a.model, options));
  say(model.reports);
  const Program& program = model.program;
  if (a.outputs.size() > program.outputs.size())
    return error("F8-0402", fmt::format("{} --output files for {} outputs", a.outputs.size(), program.outputs.size()))
        .in(a.model);
  F8_TRY(const Samples samples, read_samples(program, a.inputs));
  say(samples.reports);
  if (samples.inputs.empty()) return error("F8-0402", "the arrays hold no sample").in(a.inputs[0]);
  std::vector<std::vector<Tensor>> outputs(program.outputs.size());
  for (const auto& sample : samples.inputs) {
    std::vector<Tensor> results = interp::run(program, sample);
    for (size_t i = 0; i < results.size(); ++i) outputs[i].push_back(std::move(results[i]));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor joined = join_outputs(outputs[i], samples);
    if (i < a.outputs.size()) {
      F8_CHECK(write_npy(a.outputs[i], joined));
    } else {
      std::cout << fmt::format("{} {}{}:{}\n", program[program.outputs[i]].name, elem_name(joined.elem),
                               shape_text(joined.shape), preview(joined));
    }
  }
  return ok;
}

// ---- verify

// One target, or all.
Result<std::vector<target::Target>> chosen_targets(const Arguments& a) {
  std::vector<std::string> names = {a.targets};
  if (a.targets == "all") {
    names.clear();
    for (const target::Target& target : target::all_targets()) names.push_back(target.cpu);
  }
  std::vector<target::Target> targets;
  for (const std::string& name : names) {
    F8_TRY(target::Target target, target::find_target(name));
    targets.push_back(std::move(target));
  }
  return targets;
}

void print_verdict(const target::Target& target, const Verdict& v) {
  std::cout << fmt::format("  {:<14} {:<4} {:<11} {:>10} of {:<10} {:>8} {:>8} {:>8} {:>7} {:>7}\n", target.cpu, v.isa,
                           target.core, v.differing_bytes, v.compared_bytes, v.arena_bytes, v.sizes.table_bytes,
                           v.sizes.code_bytes, v.stack_bytes, v.stack_bound ? std::to_string(*v.stack_bound) : "-")
            << std::flush;
  if (!v.difference.empty()) std::cout << "    " << v.difference << "\n";
}

// Whether every target agreed.
Result<bool> verify_command(const Arguments& a) {
  F8_TRY(const std::vector<target::Target> targets, chosen_targets(a));
  F8_TRY(const target::CompileOptions choices, compile_options(a));
  F8_CHECK(board::check_tools());
  F8_TRY(const ModelOptions options, model_options(a));
  F8_TRY(const Int8Model model, load_int8(a.model, options));
  say(model.reports);
  const Program& program = model.program;
  Samples samples = make_samples(program, kMadeSamples);
  if (!a.inputs.empty()) {
    F8_TRY(samples, read_samples(program, a.inputs));
    say(samples.reports);
  }
  std::cout << fmt::format("{}: {} samples{}, interpreter against emitted code on QEMU\n", a.model,
                           samples.inputs.size(), a.inputs.empty() ? " made by seed" : "");
  std::cout << fmt::format("  {:<14} {:<4} {:<11} {:>10}    {:<10} {:>8} {:>8} {:>8} {:>7} {:>7}\n", "target", "isa",
                           "ran on", "differing", "bytes", "arena", "weights", "code", "stack", "<=");
  bool agreed = true;
  for (const target::Target& target : targets) {
    F8_TRY(const Verdict verdict,
           verify(program, target, samples,
                  {.name = default_name(a.model), .compile = choices, .toolchain = a.toolchain}));
    print_verdict(target, verdict);
    agreed = agreed && verdict.differing_bytes == 0;
  }
  std::cout << (agreed ? "bit for bit equal\n" : "NOT equal\n");
  return agreed;
}

// ---- bench

double per_mac(int64_t count, int64_t macs) {
  return macs == 0 ? 0 : static_cast<double>(count) / static_cast<double>(macs);
}

void print_cost(const target::Target& target, const Cost& cost) {
  std::cout << fmt::format("{} ({} kernels)\n  {:<24} {:<12} {:>12} {:>8} {:>12} {:>8} {:>12}  {:<20} {}\n", target.cpu,
                           target.isa, "node", "op", "instructions", "per MAC", "cycles", "per MAC", "MACs", "kernel",
                           "shapes");
  std::vector<NodeCost> rows = cost.nodes;
  NodeCost& total = rows.emplace_back();
  total.node = "total";
  total.macs = cost.macs;
  total.instructions = cost.instructions;
  total.cycles = cost.cycles;
  for (const NodeCost& row : rows) {
    std::cout << fmt::format("  {:<24} {:<12} {:>12} {:>8.3f} {:>12} {:>8.3f} {:>12}  {:<20} {}\n", row.node, row.op,
                             row.instructions, per_mac(row.instructions, row.macs), row.cycles,
                             per_mac(row.cycles, row.macs), row.macs, row.kernel, row.shapes);
    if (!row.why.empty()) std::cout << fmt::format("    plain kernel: {}\n", row.why);
  }
  std::cout << fmt::format("  weights {} bytes, arena {} bytes, stack at most {} bytes, code {} bytes\n",
                           cost.weight_bytes, cost.arena_bytes, cost.stack_bytes, cost.code_bytes);
  print_functions(cost.functions);
}

// The totals of one target as a JSON object.
std::string json_of(const target::Target& target, const Cost& cost) {
  return fmt::format(
      "{{\"target\": \"{}\", \"instructions\": {}, \"cycles\": {}, \"macs\": {}, \"weight_bytes\": {}, "
      "\"code_bytes\": {}, \"arena_bytes\": {}, \"stack_bytes\": {}}}",
      target.cpu, cost.instructions, cost.cycles, cost.macs, cost.weight_bytes, cost.code_bytes, cost.arena_bytes,
      cost.stack_bytes);
}

Result<> bench_command(const Arguments& a) {
  F8_TRY(const std::vector<target::Target> targets, chosen_targets(a));
  F8_TRY(const target::CompileOptions choices, compile_options(a));
  F8_CHECK(board::check_tools());
  F8_TRY(const ModelOptions options, model_options(a));
  F8_TRY(const Int8Model model, load_int8(a.model, options));
  std::string json;
  for (const target::Target& target : targets) {
    F8_TRY(const Cost cost, bench(model.program, target, choices, a.toolchain));
    if (a.json) {
      json += (json.empty() ? "[\n " : ",\n ") + json_of(target, cost);
    } else {
      print_cost(target, cost);
    }
  }
  if (a.json) std::cout << json << "\n]\n";
  return ok;
}

// ---- the command line

void add_model(CLI::App& command, Arguments& a) {
  command
      .add_option("model", a.model,
                  "int8 program: .pt2, as torch.export.save writes it after PT2E quantization; or .f8, its text form")
      ->required();
  command.add_option("--bind", a.bind, "size of a symbolic dimension, as in --bind s0=1; repeats");
  command.add_option("--io", a.io, "what the model's ends exchange")->check(CLI::IsMember({"int8", "float32"}));
}

void add_input_layout(CLI::App& command, Arguments& a) {
  command.add_option("--input-layout", a.input_layout, "how the firmware's caller hands over images")
      ->check(CLI::IsMember({"nhwc", "nchw"}))
      ->capture_default_str();
}

void add_toolchain(CLI::App& command, Arguments& a) {
  command.add_option("--compiler", a.toolchain.compiler,
                     "compiles the emitted code instead of arm-none-eabi-g++; takes GCC's options for Arm");
  command.add_option("--flags", a.toolchain.flags, "for the compiler, after fold8's own, as in --flags=-Os,-flto")
      ->delimiter(',');
}

void add_prefer(CLI::App& command, Arguments& a) {
  command.add_option("--prefer", a.prefer, "kernels for speed, or compact ones, compiled with -Os")
      ->check(CLI::IsMember({"speed", "size"}))
      ->capture_default_str();
  command.add_flag(
      "--extra-weight-flash", a.extra_weight_flash,
      "let weights of convolutions take up to twice their flash for fewer instructions, where kernels gain by it");
}

void add_memory(CLI::App& command, Arguments& a) {
  command
      .add_option("--ram", a.ram_bytes,
                  "what the arena may take, as in 64K; default: as little as it can, at the price of speed")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(CLI::Range(int64_t{1}, plan::kMaxArenaBytes));
  command.add_option("--patch", a.patch,
                     "compute the first stage in ROWSxCOLUMNS tiles: a smaller arena for more MACs");
  command
      .add_option("--caller-owns", a.caller_owns,
                  "ends that lie in the caller's own buffers, not in the arena: input, output, or both")
      ->check(CLI::IsMember({"input", "output"}))
      ->delimiter(',');
  command.add_flag("--consume-input", a.consume_input, "let a call write over inputs that the caller owns");
}

int finish(const Result<>& result) {
  if (result) return 0;
  say(result.errors());
  return 1;
}

int dispatch(const CLI::App& app, const Arguments& a) {
  if (app.got_subcommand("compile")) return finish(compile_command(a));
  if (app.got_subcommand("print")) return finish(print_command(a));
  if (app.got_subcommand("run")) return finish(run_command(a));
  if (app.got_subcommand("bench")) return finish(bench_command(a));
  const Result<bool> agreed = verify_command(a);
  if (agreed) return *agreed ? 0 : 1;
  say(agreed.errors());
  return 1;
}

void declare(CLI::App& app, Arguments& a) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "fold8 0.1.0");

  CLI::App* compile = app.add_subcommand("compile", "write the model as C++17 firmware source");
  add_model(*compile, a);
  add_input_layout(*compile, a);
  add_prefer(*compile, a);
  add_memory(*compile, a);
  compile->add_option("--target", a.target, "core to write for")->capture_default_str();
  compile->add_option("-o,--output", a.folder, "folder for the source, made if missing")->required();
  compile->add_option("--name", a.name, "prefix of files and symbols; default: from the model's file name");
  compile->add_flag("--link", a.link, "also build with arm-none-eabi-g++ and report the code's size");

  CLI::App* run = app.add_subcommand("run", "run the model on this machine, with the integers the firmware computes");
  add_model(*run, a);
  run->add_option("--input", a.inputs,
                  "x.npy or name=x.npy, float32 or int8; repeats; one more leading axis means many samples")
      ->required();
  run->add_option("--output", a.outputs, "y.npy; repeats, in the order of the outputs; default: print");

  CLI::App* verify = app.add_subcommand(
      "verify", "build the emitted source, run it under QEMU, compare bit by bit with the interpreter");
  add_model(*verify, a);
  add_input_layout(*verify, a);
  add_prefer(*verify, a);
  add_memory(*verify, a);
  verify->add_option("--target", a.targets, "core, or all")->capture_default_str();
  verify->add_option("--input", a.inputs, "as for run; default: made by seed");
  add_toolchain(*verify, a);

  CLI::App* bench = app.add_subcommand(
      "bench", "count instructions and model cycles of one inference under QEMU, in total and node by node");
  add_model(*bench, a);
  add_input_layout(*bench, a);
  add_prefer(*bench, a);
  add_memory(*bench, a);
  bench->add_option("--target", a.targets, "core, or all")->capture_default_str();
  bench->add_flag("--json", a.json, "the totals as JSON");
  add_toolchain(*bench, a);

  CLI::App* print = app.add_subcommand("print", "show the program in one of its forms");
  add_model(*print, a);
  add_input_layout(*print, a);
  add_prefer(*print, a);
  add_memory(*print, a);
  print->add_option("--form", a.form, "torch, int8, packed or placed")
      ->check(CLI::IsMember({"torch", "int8", "packed", "placed"}))
      ->capture_default_str();
  print->add_option("--target", a.target, "core, for packed and placed")->capture_default_str();
}

int parse_and_run(int argc, char** argv) {
  CLI::App app{"fold8: int8 PyTorch programs to firmware for Cortex-M"};
  Arguments arguments;
  declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    return dispatch(app, arguments);
  } catch (const CompilerBug& bug) {
    std::cerr << format(
        error("F8-0000", fmt::format("this is a bug in fold8, not in your model: broken invariant: {}", bug.what()))
            .in(arguments.model));
  } catch (const std::exception& e) {
    std::cerr << format(error("F8-0000", fmt::format("unexpected failure: {}", e.what())).in(arguments.model));
  }
  return 1;
}

}  // namespace

int run_cli(int argc, char** argv) {
  end_cleanly_on_signals();
  const int code = parse_and_run(argc, argv);
  errno = 0;
  if (std::cout.flush()) return code;
  const std::string why = errno == 0 ? "" : fmt::format(": {}", strerror(errno));
  std::cerr << format(error("F8-0002", "standard output cannot be written" + why));
  return std::max(code, 1);
}

}  // namespace fold8::driver
