#include "driver/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "emit/emit.h"
#include "interp/interpreter.h"
#include "plan/buffers.h"

namespace fold8::driver {

using namespace ir;

std::string sample_bytes(const std::vector<Tensor>& tensors) {
  std::string bytes;
  for (const Tensor& tensor : tensors)
    bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return bytes;
}

board::Model board_model(const Compiled& compiled, const std::string& name) {
  const Program& p = compiled.program;
  board::Model model{.name = name, .arena_bytes = compiled.plan.arena_bytes, .arena_align = compiled.plan.align};
  for (const auto& [ids, slices] : {std::pair{&p.inputs, &model.inputs}, std::pair{&p.outputs, &model.outputs}})
    for (ValueId id : *ids) {
      const auto bytes = static_cast<int64_t>(p.type(id).bytes());
      const bool in_arena = p[id].buffer == Buffer::arena;
      slices->push_back(
          {in_arena ? *p[id].offset : model.add_buffer(bytes), bytes, !in_arena && !plan::may_write(p, id)});
    }
  return model;
}

namespace {

struct Outcome {
  board::Run run;
  board::Sizes sizes;
  std::optional<int64_t> stack_bound;
  int64_t call_stack_bytes = 0;
};

Result<Outcome> build_and_run(const Compiled& compiled, const VerifyOptions& options, bool trace,
                              const std::vector<std::vector<Tensor>>& inputs) {
  emit::Emission emission =
      emit::emit(compiled.program, compiled.plan, compiled.target, {.name = options.name, .trace = trace});
  if (options.tamper) options.tamper(emission.files);
  F8_TRY(const TempFolder folder, TempFolder::make());
  const board::Image image{.target = compiled.target,
                           .prefer = compiled.options.prefer,
                           .files = std::move(emission.files),
                           .models = {board_model(compiled, options.name)},
                           .toolchain = options.toolchain};
  F8_TRY(const board::Built built, board::build(image, folder.path()));
  board::Samples samples{static_cast<int64_t>(inputs.size()), {}};
  for (const auto& sample : inputs) samples.bytes += sample_bytes(sample);
  F8_TRY(board::Run run, board::run(built, {samples}));
  Outcome outcome{std::move(run), built.sizes, {}, built.models[0].call_stack_bytes()};
  if (options.toolchain.is_default()) {
    F8_TRY(const std::vector<int64_t> bounds, board::stack_bounds(built));
    outcome.stack_bound = bounds[0];
  }
  return outcome;
}

// One record of fold8_trace: docs of board.h.
struct Record {
  uint32_t node = 0;
  std::string_view data;
};

std::optional<Record> next_record(std::string_view& trace) {
  uint32_t head[2];
  if (trace.size() < sizeof head) return std::nullopt;
  std::memcpy(head, trace.data(), sizeof head);
  if (trace.size() - sizeof head < head[1]) return std::nullopt;
  const Record record{head[0], trace.substr(sizeof head, head[1])};
  trace.remove_prefix(sizeof head + head[1]);
  return record;
}

// Whether a value never exists as a whole.
bool is_ring(const plan::Plan& plan, ValueId id) {
  return std::ranges::any_of(plan.units, [&](const plan::Unit& unit) { return unit.ring_rows.contains(id); });
}

// Runs one sample again with every node's results written out, and finds the first that is not the interpreter's.
Result<std::string> first_difference(const Compiled& compiled, const VerifyOptions& options,
                                     const std::vector<Tensor>& input) {
  F8_TRY(const Outcome outcome, build_and_run(compiled, options, /*trace=*/true, {input}));
  std::string_view trace = outcome.run.models[0].trace;
  std::string found;
  interp::run(compiled.program, input, [&](const Node& node, std::span<const Tensor* const> results) {
    if (is_ring(compiled.plan, node.outputs[0])) return;
    for (size_t r = 0; r < results.size(); ++r) {
      const auto record = next_record(trace);
      if (!found.empty()) continue;
      const auto want =
          std::string_view(reinterpret_cast<const char*>(results[r]->bytes.data()), results[r]->bytes.size());
      if (!record || record->data.size() != want.size()) {
        found = fmt::format("node {} ({}) left no result", node.name, node.op->name);
        continue;
      }
      const auto at = std::ranges::mismatch(record->data, want);
      if (at.in1 == record->data.end()) continue;
      const auto differing = std::inner_product(want.begin(), want.end(), record->data.begin(), int64_t{0},
                                                std::plus<>(), std::not_equal_to<>());
      found = fmt::format(
          "first node that differs: {} ({}), result %{} {}: byte {} is {}, expected {}; {} of {} bytes differ",
          node.name, node.op->name, compiled.program[node.outputs[r]].name, shape_text(results[r]->shape),
          at.in1 - record->data.begin(), static_cast<int>(static_cast<int8_t>(*at.in1)),
          static_cast<int>(static_cast<int8_t>(*at.in2)), differing, want.size());
      const Place place = node.place();
      if (!place.source_file.empty())
        found += fmt::format("\n  {}:{}: {}", place.source_file, place.source_line, place.source_text);
    }
  });
  return found.empty()
             ? std::string("no node differs when traced: the fault depends on code layout or on the sample before")
             : found;
}

}  // namespace

Result<Verdict> verify(const Program& int8, const target::Target& target, const Samples& samples,
                       const VerifyOptions& options) {
  F8_TRY(const Compiled compiled, backend::compile(int8, target, options.compile));
  F8_TRY(const Outcome outcome, build_and_run(compiled, options, /*trace=*/false, samples.inputs));
  const board::ModelRun& run = outcome.run.models[0];
  Verdict verdict;
  verdict.samples = static_cast<int64_t>(samples.inputs.size());
  verdict.isa = run.isa;
  verdict.cpuid = outcome.run.cpuid;
  verdict.sizes = outcome.sizes;
  verdict.stack_bytes = run.stack_bytes;
  verdict.stack_bound = outcome.stack_bound;
  verdict.arena_bytes = compiled.plan.arena_bytes;
  if (outcome.stack_bound && run.stack_bytes > *outcome.stack_bound + outcome.call_stack_bytes)
    return error("F8-0405", fmt::format("{}: took {} bytes of stack, more than the bound of {}", target.cpu,
                                        run.stack_bytes, *outcome.stack_bound));
  if (run.isa != target.isa)
    return error("F8-0403",
                 fmt::format("the image for {} ran {} kernels, expected {}", target.cpu, run.isa, target.isa));

  const std::vector<Tensor>* first_wrong = nullptr;
  std::string_view got = run.outputs;
  for (const auto& sample : samples.inputs) {
    const std::string want = sample_bytes(interp::run(int8, sample));
    require(got.size() >= want.size(), "the board returns every output of every sample");
    int64_t differing = 0;
    for (size_t i = 0; i < want.size(); ++i) differing += want[i] != got[i];
    if (differing > 0 && first_wrong == nullptr) first_wrong = &sample;
    verdict.differing_bytes += differing;
    verdict.compared_bytes += static_cast<int64_t>(want.size());
    got.remove_prefix(want.size());
  }
  if (first_wrong != nullptr) {
    F8_TRY(verdict.difference, first_difference(compiled, options, *first_wrong));
  }
  return verdict;
}

}  // namespace fold8::driver
