#include "watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "board/process.h"
#include "emit/emit.h"
#include "passes/passes.h"
#include "plan/unit.h"
#include "source_dir.h"
#include "watch_part.h"

namespace fold8::f8 {
namespace {

using namespace ir;

constexpr int64_t kApartBytes = 64;
constexpr int64_t kLimitSeconds = 600;
constexpr int64_t kMostBytes = 1 << 20;  // of an arena in which values lie apart
constexpr int64_t kLateSteps = 2;        // of a planted fault: a pixel, a row of depthwise, two elements of a sum
constexpr size_t kOfOneKind = 3;         // programs that call the same kernels in the same order

int64_t place_after(int64_t& end, int64_t bytes) {
  const int64_t at = end;
  end += (bytes / kApartBytes + 2) * kApartBytes;
  return at;
}

// A program with every value, and every node's scratch, at a place of its own.
struct Apart {
  const Prepared* prepared;
  Program program;
  plan::Plan plan;
  std::vector<Part> parts;  // in the order of the marks
};

Apart apart(const Prepared& prepared, const target::Target& target, const target::CompileOptions& options) {
  Apart a{&prepared, prepared.program, {}, {}};
  require(bool(passes::pack(a.program, target, options)), "the case compiles");
  a.program.form = Form::placed;
  for (Value& value : a.program.values) {
    if (!value.is_constant()) value.offset = place_after(a.plan.arena_bytes, static_cast<int64_t>(value.type.bytes()));
    value.buffer = Buffer::arena;
  }
  a.plan.units = plan::single_units(a.program, target);
  for (plan::Unit& unit : a.plan.units)
    a.plan.scratch_offsets.push_back(place_after(a.plan.arena_bytes, unit.scratch_bytes));
  a.plan.align = std::max<int64_t>(kApartBytes, target.align);
  return a;
}

// Nodes run whole, or row by row where they can: a part for each, with an empty one before the first row.
void divide(Apart& a, const target::Target& target, bool by_rows) {
  for (size_t u = 0; u < a.plan.units.size(); ++u) {
    plan::Unit& unit = a.plan.units[u];
    const Node& node = a.program.nodes[unit.first];
    const Part whole{u, std::nullopt, false};
    if (!by_rows || !plan::works_by_rows(a.program, target, node)) {
      a.parts.push_back(whole);
      continue;
    }
    a.parts.push_back({u, std::nullopt, true});
    unit.turns.assign(static_cast<size_t>(a.program.type(node.outputs[0]).shape[1]), 0);
    for (int64_t row = 0; row < static_cast<int64_t>(unit.turns.size()); ++row) a.parts.push_back({u, row, false});
  }
}

// ---- the program that runs them

size_t replace(std::string& text, const std::string& what, const std::string& with) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()), ++count)
    text.replace(at, what.size(), with);
  return count;
}

// The emitted model, with a mark around each part.
std::vector<TextFile> marked_files(const Apart& a, const target::Target& target, const std::string& name) {
  std::vector<TextFile> files = emit::emit(a.program, a.plan, target, {.name = name, .mark = true}).files;
  for (TextFile& file : files) {
    if (!file.name.ends_with(".cpp")) continue;
    require(replace(file.contents, "\n  fold8_mark();", "\n  watch_mark(arena);") == a.plan.units.size() + 1,
            "emitted code marks every unit");
    const size_t streams = replace(file.contents, "f8k::run_rows(", "watch::rows(");
    require(streams == static_cast<size_t>(std::ranges::count(a.parts, true, &Part::empty)),
            "emitted code runs rows by run_rows()");
  }
  return files;
}

std::vector<TextFile> program_files(const std::vector<Apart>& programs, const target::Target& target) {
  const std::string here = (source_dir() / "tests/f8/").string();
  std::string models = fmt::format("#include \"{}watch_model.h\"\n", here);
  std::string main = fmt::format("#include \"{}watch_host.h\"\n", here);
  std::string table;
  std::vector<TextFile> files;
  for (size_t i = 0; i < programs.size(); ++i) {
    const std::string name = fmt::format("w{:04}", i);
    std::ranges::move(marked_files(programs[i], target, name), std::back_inserter(files));
    models += fmt::format("#include \"{}.cpp\"\n", name);
    main += fmt::format("extern \"C\" void {}_invoke(void*);\n", name);
    table += fmt::format("      {{{}_invoke, {}}},\n", name, programs[i].plan.arena_bytes);
  }
  files.push_back({"models.cpp", std::move(models)});
  files.push_back({"main.cpp", fmt::format("{}int main() {{\n  const WatchedModel models[] = {{\n{}  }};\n"
                                           "  return watch_all(models);\n}}\n",
                                           main, table)});
  return files;
}

void succeed(const std::vector<std::string>& command, const std::filesystem::path& folder) {
  const auto finished = board::run_process(command, folder, kLimitSeconds);
  if (!finished || finished->timed_out || finished->exit_code != 0)
    throw std::runtime_error(fmt::format("{} failed: {}", command[0],
                                         finished ? finished->output.substr(0, 2000) : format(finished.errors())));
}

// What the program recorded, in the order of the marks.
std::string recorded(const std::vector<Apart>& programs, const target::Target& target) {
  const TempFolder folder = *TempFolder::make();
  if (auto written = write_files(folder.path(), program_files(programs, target)); !written)
    throw std::runtime_error(format(written.errors()));
  const std::string compiler = FOLD8_HOST_COMPILER;
  succeed({compiler, "-std=c++17", "-O1", "-w", "-fsanitize=thread", "-c", "models.cpp"}, folder.path());
  succeed({compiler, "-std=c++17", "-O2", "-o", "watched", "main.cpp", "models.o"}, folder.path());
  succeed({(folder.path() / "watched").string()}, folder.path());
  auto bytes = read_file(folder.path() / "watch.out");
  require(bool(bytes), "the program writes what it saw");
  return std::move(*bytes);
}

template <class T>
T take(std::string_view& bytes) {
  T value;
  require(bytes.size() >= sizeof value, "the program marks every part");
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

std::vector<Recorded> take_part(std::string_view& bytes) {
  std::vector<Recorded> all(take<uint32_t>(bytes));
  for (Recorded& access : all) access = take<Recorded>(bytes);
  return all;
}

// ---- which programs

// Functions that a program calls, with their template arguments.
std::string kind_of(const Apart& a, const target::Target& target) {
  std::string kind;
  for (const Node& node : a.program.nodes)
    for (const KernelCall& call : node.op->calls(a.program, node, target))
      kind += fmt::format("{}<{}> ", call.function, fmt::join(call.template_args, ","));
  return kind;
}

bool says_something(const Apart& a) {
  return std::ranges::any_of(a.program.nodes, [](const Node& node) {
    return node.op->access.trails() || node.op->access.elementwise;
  });
}

std::vector<Apart> chosen(const std::vector<Prepared>& cases, const target::Target& target,
                          const target::CompileOptions& options) {
  std::map<std::string, size_t> seen;
  std::vector<Apart> all;
  for (const Prepared& prepared : cases) {
    Apart a = apart(prepared, target, options);
    if (a.plan.arena_bytes > kMostBytes || !says_something(a)) continue;
    if (++seen[kind_of(a, target)] > kOfOneKind) continue;
    for (bool by_rows : {false, true}) {
      Apart one = a;
      divide(one, target, by_rows);
      if (!by_rows || std::ranges::any_of(one.parts, &Part::empty)) all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace

Watched watch(const std::vector<Prepared>& cases, const target::Target& target, const target::CompileOptions& options) {
  Watched result;
  const std::vector<Apart> programs = chosen(cases, target, options);
  const std::string bytes = recorded(programs, target);
  std::string_view rest = bytes;
  std::map<std::string_view, bool> noticed;  // by ops, when what they say is late
  for (const Apart& a : programs) {
    take_part(rest);  // before the first node
    std::optional<std::string> wrong;
    for (const Part& part : a.parts) {
      const std::vector<Recorded> accesses = take_part(rest);
      ++result.parts;
      if (!wrong) wrong = wrong_part(a.program, a.plan, target, part, accesses);
      const OpDef& op = *a.program.nodes[a.plan.units[part.unit].first].op;
      if (!op.access.trails()) continue;
      bool& late = noticed[op.name];
      late = late || wrong_part(a.program, a.plan, target, part, accesses, kLateSteps);
    }
    if (wrong) result.failures.push_back({&a.prepared->test, std::move(*wrong)});
  }
  require(rest.empty(), "the program marks nothing but parts");
  for (const auto& [op, late] : noticed)
    if (!late) result.failures.push_back({nullptr, fmt::format("no program notices when {} says writes late", op)});
  return result;
}

}  // namespace fold8::f8
