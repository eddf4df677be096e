// Runs the .f8 files below src/ and tests/, or the files and folders given: f8_tests [--target CPU]... [--planted]
// [--watch] [--prefer-size] [--extra-weight-flash] [--caller-owns] [--compiler NAME] [--flag FLAG]... [path]... Prints a
// line for each failure, a line for each way of running, and the total. --planted: see faults.h. --watch: see watch.h.
// --caller-owns: all ends lie in buffers of their own, and every other case may write over its inputs. --compiler,
// --flag: what compiles emitted code for the boards.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "batch.h"
#include "faults.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "source_dir.h"
#include "watch.h"

namespace fold8::f8 {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  bool planted = false, watch = false;
  target::CompileOptions options;
  bool caller_owns = false;
  board::Toolchain toolchain;
  std::vector<std::string> cpus = {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"};
  std::vector<fs::path> paths = {source_dir() / "src", source_dir() / "tests"};
};

// Targets whose emitted code is portable C++, so that this machine can run it too.
constexpr std::string_view kPortableIsas[] = {"v6m", "v7m"};

// One way of running the cases.
struct Tally {
  std::string way;
  size_t passed = 0, failed = 0, skipped = 0;
  std::vector<Failure> failures;
};

Tally tally_of(std::string way, size_t cases, std::vector<Failure> failures) {
  const bool all = std::ranges::any_of(failures, [](const Failure& failure) { return failure.test == nullptr; });
  const size_t failed = all ? std::max<size_t>(cases, 1) : failures.size();
  return {std::move(way), std::max(cases, failed) - failed, failed, 0, std::move(failures)};
}

std::vector<fs::path> f8_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.path().extension() == ".f8") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

struct Suite {
  std::vector<Case> cases;
  std::vector<Prepared> prepared;
  Tally tally;
};

Suite read_suite(const std::vector<fs::path>& paths) {
  Suite suite;
  std::vector<Failure> failures;
  for (const fs::path& file : f8_files(paths)) {
    auto cases = read_cases(file);
    if (cases) {
      std::ranges::move(*cases, std::back_inserter(suite.cases));
    } else {
      failures.push_back({nullptr, format(cases.errors())});
    }
  }
  for (const Case& test : suite.cases) {
    Checked checked = prepare(test);
    if (checked.failure) failures.push_back({&test, *checked.failure});
    if (checked.prepared) suite.prepared.push_back(std::move(*checked.prepared));
  }
  const auto wrong =
      static_cast<size_t>(std::ranges::count_if(failures, [](const Failure& f) { return f.test != nullptr; }));
  suite.tally = {"text, passes, diagnostics", suite.cases.size() - wrong, failures.size(), 0, std::move(failures)};
  return suite;
}

struct Boards {
  bool installed = true;
  std::string why_not;
};

Boards find_boards() {
  auto tools = board::check_tools();
  return tools ? Boards{} : Boards{false, format(tools.errors())};
}

std::vector<Tally> run_target(const std::vector<Prepared>& cases, const target::Target& target, const Arguments& arguments,
                              const Boards& boards) {
  const std::string name = fmt::format("{} ({})", target.cpu, target.isa);
  std::vector<Failure> failures;
  Batch batch = compile_all(cases, target, arguments.options, failures);
  std::vector<Tally> tallies = {tally_of(name + ", packed form in the interpreter", cases.size(), std::move(failures))};
  const size_t count = batch.entries.size();
  if (count == 0) return tallies;
  emit_all(batch);
  if (std::ranges::count(kPortableIsas, target.isa) != 0)
    tallies.push_back(tally_of(name + ", on this machine", count, on_host(batch)));
  if (boards.installed) {
    tallies.push_back(tally_of(fmt::format("{}, on {}", name, target.machine), count, on_board(batch, arguments.toolchain)));
  } else {
    tallies.push_back({fmt::format("{}, on {}", name, target.machine), 0, 0, count, {}});
  }
  return tallies;
}

// Targets are independent of one another; compilers and boards take most of the time.
std::vector<Tally> run_targets(const std::vector<Prepared>& cases, const std::vector<target::Target>& targets,
                               const Arguments& arguments, const Boards& boards) {
  std::vector<std::vector<Tally>> results(targets.size());
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < targets.size(); i = next++)
      results[i] = run_target(cases, targets[i], arguments, boards);
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < std::clamp(std::thread::hardware_concurrency(), 1u, 4u); ++i) workers.emplace_back(work);
  }
  std::vector<Tally> all;
  for (auto& tallies : results) std::ranges::move(tallies, std::back_inserter(all));
  return all;
}

void print_failures(const Tally& tally) {
  for (const Failure& failure : tally.failures) {
    const bool known = failure.test != nullptr;
    const std::string where =
        known ? fmt::format("{}:{}: {}: ", failure.test->file.string(), failure.test->line, failure.test->name) : "";
    const std::string what = failure.what.substr(0, failure.what.find_last_not_of('\n') + 1);
    std::printf("%s%s: %s\n", where.c_str(), tally.way.c_str(), what.c_str());
  }
}

std::string counts(size_t passed, size_t failed, size_t skipped) {
  return fmt::format("{} passed, {} failed{}", passed, failed, skipped > 0 ? fmt::format(", {} skipped", skipped) : "");
}

int report(const std::vector<Tally>& tallies) {
  Tally total;
  for (const Tally& tally : tallies) print_failures(tally);
  for (const Tally& tally : tallies) {
    std::printf("%-52s %s\n", tally.way.c_str(), counts(tally.passed, tally.failed, tally.skipped).c_str());
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
  }
  std::printf("%s\n", counts(total.passed, total.failed, total.skipped).c_str());
  return total.failed == 0 && total.passed > 0 ? 0 : 1;
}

int run_planted(const Suite& suite, const Boards& boards) {
  if (!boards.installed) {
    std::printf("planted faults need the boards:\n%s0 passed, 0 failed, 1 skipped\n", boards.why_not.c_str());
    return 0;
  }
  std::vector<Tally> tallies = {suite.tally};
  const PlantedResult result = run_planted_faults(suite.prepared);
  tallies.push_back({"planted faults noticed", result.noticed, result.failures.size(), 0, {}});
  for (const std::string& what : result.failures) tallies.back().failures.push_back({nullptr, what});
  return report(tallies);
}

int run_watch(const Suite& suite, const std::vector<target::Target>& targets, const target::CompileOptions& options) {
  std::vector<Tally> tallies = {suite.tally};
  for (const target::Target& target : targets) {
    if (std::ranges::count(kPortableIsas, target.isa) == 0) continue;
    Watched watched = watch(suite.prepared, target, options);
    const std::string way = fmt::format("{} ({}), reads and writes as said", target.cpu, target.isa);
    tallies.push_back({way, watched.parts, watched.failures.size(), 0, std::move(watched.failures)});
  }
  return report(tallies);
}

int run(const Arguments& arguments) {
  Suite suite = read_suite(arguments.paths);
  if (arguments.caller_owns)
    for (size_t i = 0; i < suite.prepared.size(); ++i)
      passes::own_ends(suite.prepared[i].program, ops::core(), {true, true, i % 2 != 0});
  const Boards boards = find_boards();
  if (arguments.planted) return run_planted(suite, boards);
  if (!boards.installed) std::printf("the boards are left out:\n%s", boards.why_not.c_str());
  std::vector<target::Target> targets;
  for (const std::string& cpu : arguments.cpus) {
    auto target = target::find_target(cpu);
    if (!target) {
      std::fputs(format(target.errors()).c_str(), stderr);
      return 2;
    }
    targets.push_back(*target);
  }
  if (arguments.watch) return run_watch(suite, targets, arguments.options);
  std::vector<Tally> tallies = run_targets(suite.prepared, targets, arguments, boards);
  tallies.insert(tallies.begin(), suite.tally);
  return report(tallies);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  std::vector<std::string> cpus;
  std::vector<fs::path> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--planted") {
      arguments.planted = true;
    } else if (argument == "--watch") {
      arguments.watch = true;
    } else if (argument == "--extra-weight-flash") {
      arguments.options.extra_weight_flash = true;
    } else if (argument == "--caller-owns") {
      arguments.caller_owns = true;
    } else if (argument == "--prefer-size") {
      arguments.options.prefer = target::Prefer::size;
    } else if (argument == "--target" && i + 1 < argc) {
      cpus.push_back(argv[++i]);
    } else if (argument == "--compiler" && i + 1 < argc) {
      arguments.toolchain.compiler = argv[++i];
    } else if (argument == "--flag" && i + 1 < argc) {
      arguments.toolchain.flags.push_back(argv[++i]);
    } else {
      paths.emplace_back(argument);
    }
  }
  if (!cpus.empty()) arguments.cpus = cpus;
  if (!paths.empty()) arguments.paths = paths;
  return arguments;
}

}  // namespace
}  // namespace fold8::f8

int main(int argc, char** argv) { return fold8::f8::run(fold8::f8::parse(argc, argv)); }
