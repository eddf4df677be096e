// Random programs: no pass changes a number, nor does packing for any ISA, and every board has the interpreter's bytes.
// FOLD8_RANDOM_SEEDS=first,count runs others than those of every day.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "driver/compiler.h"
#include "driver/samples.h"
#include "f8/batch.h"
#include "f8/check.h"
#include "interp/interpreter.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "random_program.h"

namespace fold8::models {
namespace {

using namespace ir;
using f8::Samples;

struct Seeds {
  uint64_t first = 1;
  uint64_t count = 0;
};

Seeds seeds(uint64_t count) {
  Seeds result{1, count};
  if (const char* given = std::getenv("FOLD8_RANDOM_SEEDS")) {
    EXPECT_EQ(std::sscanf(given, "%lu,%lu", &result.first, &result.count), 2) << given;
  }
  return result;
}

Samples run(const Program& p, const Samples& inputs) {
  Samples outputs;
  for (const auto& sample : inputs) outputs.push_back(interp::run(p, sample));
  return outputs;
}

// One core for each ISA.
std::vector<target::Target> isas() {
  std::vector<target::Target> list;
  for (const target::Target& target : target::all_targets())
    if (std::ranges::find(list, target.isa, &target::Target::isa) == list.end()) list.push_back(target);
  return list;
}

// Lowers the program with float ends, so that every form takes the same inputs, and compares from the first integers
// on.
std::string pass_failure(const std::string& text) {
  auto program = parse(text, ops::table());
  if (!program) return format(program.errors());
  Samples inputs, wanted;
  std::string failure;
  const auto compare = [&](const std::string& after, Program p) {
    if (p.form == Form::torch || !failure.empty()) return;
    passes::Context none;
    require(static_cast<bool>(passes::drop_dead(p, none)), "dead nodes can be dropped");  // they need not be runnable
    if (wanted.empty()) {
      inputs = driver::make_samples(p, 2).inputs;
      wanted = run(p, inputs);
    }
    if (const auto what = f8::difference(run(p, inputs), wanted)) failure = after + ": " + *what;
    if (const auto what = f8::round_trip(p); what && failure.empty()) failure = after + ": " + *what;
  };
  passes::Context context{.core = ops::core(), .input_layout = passes::InputLayout::nchw, .after_pass = compare};
  const auto lowered = passes::lower(*program, context, passes::Ends::float32);
  if (!lowered) return format(lowered.errors());
  for (const target::Target& target : isas()) {
    const auto compiled = backend::compile(*program, target);
    if (!compiled) return format(compiled.errors());
    compare("packed for " + target.isa, compiled->program);
  }
  return wanted.empty() ? "nothing was compared" : failure;
}

// int8 ends and images channels last, against float ends and images as exported.
std::string ends_failure(const std::string& text) {
  auto as_exported = parse(text, ops::table());
  if (!as_exported) return format(as_exported.errors());
  Program as_compiled = *as_exported;
  passes::Context nchw{.core = ops::core(), .input_layout = passes::InputLayout::nchw};
  passes::Context nhwc{.core = ops::core()};
  if (auto done = passes::lower(*as_exported, nchw, passes::Ends::float32); !done) return format(done.errors());
  if (auto done = passes::lower(as_compiled, nhwc, passes::Ends::int8); !done) return format(done.errors());
  const Program& wanted = *as_exported;
  const Samples inputs = driver::make_samples(as_compiled, 2).inputs;
  const Samples want = run(wanted, f8::as_ends_of(wanted, wanted.inputs, inputs, as_compiled, as_compiled.inputs));
  const Samples got =
      f8::as_ends_of(wanted, wanted.outputs, run(as_compiled, inputs), as_compiled, as_compiled.outputs);
  return f8::difference(got, want).value_or("");
}

void expect_none(std::string (*failure_of)(const std::string&), uint64_t programs) {
  const auto [first, count] = seeds(programs);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string text = random_program(seed);
    std::string failure;
    try {
      failure = failure_of(text);
    } catch (const std::exception& bug) {
      failure = bug.what();
    }
    EXPECT_EQ(failure, "") << "seed " << seed << "\n" << text;
  }
}

TEST(RandomPrograms, NoPassChangesANumber) { expect_none(pass_failure, 1000); }
TEST(RandomPrograms, NorDoOtherEnds) { expect_none(ends_failure, 1000); }

// Some programs with ends in buffers of their own, some with their first stage in tiles: the same numbers.
void vary(Program& p, uint64_t seed) {
  passes::own_ends(p, ops::core(), {seed % 2 != 0, seed % 3 != 0, seed % 4 == 1});
  const std::vector<passes::Stage> stages = passes::patchable_stages(p);
  if (seed % 3 != 1 && !stages.empty())
    passes::patch(p, ops::core(), stages[seed % stages.size()], 1 + static_cast<int64_t>(seed % 3), 2);
}

// As the command line compiles them: int8 ends, images channels last.
TEST(RandomPrograms, EveryBoardHasTheSameBytes) {
  if (auto tools = board::check_tools(); !tools) GTEST_SKIP() << format(tools.errors());
  const auto [first, count] = seeds(40);
  std::vector<f8::Prepared> prepared;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    f8::Case test;
    test.name = fmt::format("seed {}", seed);
    test.program = random_program(seed);
    f8::Checked checked = f8::prepare(test);
    EXPECT_EQ(checked.failure.value_or(""), "") << test.name << "\n" << test.program;
    if (!checked.prepared) continue;
    vary(checked.prepared->program, seed);
    prepared.push_back(std::move(*checked.prepared));
  }
  for (const target::Target& target : isas()) {
    std::vector<f8::Failure> failures;
    f8::Batch batch = f8::compile_all(prepared, target, {}, failures);
    f8::emit_all(batch);
    std::ranges::move(f8::on_board(batch), std::back_inserter(failures));
    if (target.isa == "v7m")
      std::ranges::move(f8::on_host(batch), std::back_inserter(failures));  // portable, under sanitizers
    for (const f8::Failure& failure : failures)
      ADD_FAILURE() << target.cpu << ": "
                    << (failure.test != nullptr ? failure.test->name + "\n" + failure.test->program : "")
                    << failure.what;
  }
}

}  // namespace
}  // namespace fold8::models
