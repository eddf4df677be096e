#include "driver/bench.h"

#include <fmt/format.h>

#include "board/board.h"
#include "driver/samples.h"
#include "driver/verify.h"

namespace fold8::driver {
namespace {

using namespace ir;

std::string shapes_of(const Program& p, const plan::Unit& unit) {
  std::string out;
  for (ValueId id : p.nodes[unit.first].inputs)
    if (id != ValueId::none && !p[id].is_constant()) out += shape_text(p.type(id).shape) + " ";
  out += "->";
  for (ValueId id : p.nodes[unit.end - 1].outputs) out += " " + shape_text(p.type(id).shape);
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
  require(parts.run.marks.size() == compiled.plan.units.size() + 1,
          "a mark stands before the first unit and after each");
  for (size_t u = 0; u < compiled.plan.units.size(); ++u) {
    const plan::Unit& unit = compiled.plan.units[u];
    NodeCost node{p.nodes[unit.first].name, std::string(p.nodes[unit.first].op->name), shapes_of(p, unit), 0,
                  parts.run.marks[u + 1] - parts.run.marks[u]};
    for (size_t i = unit.first; i < unit.end; ++i) {
      const Node& n = p.nodes[i];
      if (n.op->macs != nullptr) node.macs += n.op->macs(p, n);
      if (i > unit.first) node.node += "+" + n.name;
    }
    cost.nodes.push_back(std::move(node));
  }
  return cost;
}

}  // namespace fold8::driver
