#include "driver/bench.h"

#include <fmt/format.h>

#include "board/board.h"
#include "driver/samples.h"
#include "driver/verify.h"

namespace fold8::driver {
namespace {

using namespace ir;

std::string shapes_of(const Program& p, const Node& node) {
  std::string out;
  for (ValueId id : node.inputs)
    if (id != ValueId::none && !p[id].is_constant()) out += shape_text(p.type(id).shape) + " ";
  out += "->";
  for (ValueId id : node.outputs) out += " " + shape_text(p.type(id).shape);
  return out;
}

struct Measured {
  board::Built built;
  board::ModelRun run;
};

Result<Measured> measure(const Compiled& compiled, const emit::Emission& emission, const Samples& samples) {
  const TempFolder folder;
  F8_TRY(board::Built built,
         board::build({.target = compiled.target, .files = emission.files, .models = {board_model(compiled, "bench")}},
                      folder.path()));
  F8_TRY(board::Run run, board::run(built, {{1, sample_bytes(samples.inputs[0])}}, {.count_instructions = true}));
  F8_TRY(const std::vector<int64_t> bounds, board::stack_bounds(built));
  run.models[0].stack_bytes = bounds[0];
  return Measured{std::move(built), std::move(run.models[0])};
}

}  // namespace

Result<Cost> bench(const Program& int8, const target::Target& target) {
  F8_TRY(const Compiled compiled, compile(int8, target));
  const Program& p = compiled.program;
  const Samples samples = make_samples(p, 1);
  const emit::Emission plain = emit::emit(p, compiled.plan, target, {.name = "bench"});
  const emit::Emission marked = emit::emit(p, compiled.plan, target, {.name = "bench", .mark = true});
  F8_TRY(const Measured total, measure(compiled, plain, samples));
  F8_TRY(const Measured parts, measure(compiled, marked, samples));

  Cost cost;
  cost.instructions = total.run.instructions;
  cost.macs = passes::total_macs(int8);
  cost.weight_bytes = plain.weight_bytes;
  cost.code_bytes = total.built.sizes.code_bytes;
  cost.arena_bytes = compiled.plan.arena_bytes;
  cost.stack_bytes = total.run.stack_bytes;
  require(parts.run.marks.size() == p.nodes.size() + 1, "a mark stands before the first node and after each");
  for (size_t i = 0; i < p.nodes.size(); ++i) {
    const Node& node = p.nodes[i];
    cost.nodes.push_back({node.name, std::string(node.op->name), shapes_of(p, node),
                          node.op->macs == nullptr ? 0 : node.op->macs(p, node),
                          parts.run.marks[i + 1] - parts.run.marks[i]});
  }
  return cost;
}

}  // namespace fold8::driver
