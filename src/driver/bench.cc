#include "driver/bench.h"

#include <fmt/format.h>

#include "board/board.h"
#include "driver/samples.h"
#include "driver/verify.h"
#include "emit/emit.h"

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

// "conv2d_stream"
std::string kernel_name(const KernelCall& call) {
  const size_t scope = call.function.rfind("::");
  return call.function.substr(scope == std::string::npos ? 0 : scope + 2);
}

// What a node of the unit calls; several are joined by "+".
std::string kernels_of(const Compiled& compiled, const plan::Unit& unit, const Node& node) {
  if (unit.is_stream()) return kernel_name(*node.op->rows(compiled.program, node, compiled.target));
  std::string out;
  for (const KernelCall& call : node.op->calls(compiled.program, node, compiled.target))
    out += (out.empty() ? "" : "+") + kernel_name(call);
  return out;
}

struct Measured {
  board::Built built;
  board::Run run;
};

Result<Measured> measure(const Compiled& compiled, const emit::Emission& emission, const Samples& samples,
                         const board::Toolchain& toolchain, const board::RunOptions& options) {
  F8_TRY(const TempFolder folder, TempFolder::make());
  F8_TRY(board::Built built, board::build({.target = compiled.target,
                                           .prefer = compiled.options.prefer,
                                           .files = emission.files,
                                           .models = {board_model(compiled, "bench")},
                                           .toolchain = toolchain},
                                          folder.path()));
  F8_TRY(board::Run run, board::run(built, {{1, sample_bytes(samples.inputs[0])}}, options));
  if (toolchain.is_default()) {
    F8_TRY(const std::vector<int64_t> bounds, board::stack_bounds(built));
    run.models[0].stack_bytes = bounds[0];
  }
  return Measured{std::move(built), std::move(run)};
}

NodeCost cost_of(const Compiled& compiled, const plan::Unit& unit, const board::Stretch& ran) {
  const Program& p = compiled.program;
  NodeCost cost;
  cost.op = p.nodes[unit.first].op->name;
  cost.shapes = shapes_of(p, unit);
  cost.instructions = ran.instructions;
  cost.cycles = ran.cycles;
  for (size_t i = unit.first; i < unit.end; ++i) {
    const Node& node = p.nodes[i];
    if (node.op->macs != nullptr) cost.macs += node.op->macs(p, node);
    cost.node += (cost.node.empty() ? "" : "+") + node.name;
    cost.kernel += (cost.kernel.empty() ? "" : "+") + kernels_of(compiled, unit, node);
    if (const std::string why = why_plain(node); !why.empty())
      cost.why += (cost.why.empty() ? "" : "; ") + fmt::format("{}: {}", node.name, why);
  }
  return cost;
}

}  // namespace

Result<Cost> bench(const Program& int8, const target::Target& target, const target::CompileOptions& options,
                   const board::Toolchain& toolchain) {
  F8_TRY(const Compiled compiled, backend::compile(int8, target, options));
  const Program& p = compiled.program;
  const Samples samples = make_samples(p, 1);
  const emit::Emission plain = emit::emit(p, compiled.plan, target, {.name = "bench"});
  const emit::Emission marked = emit::emit(p, compiled.plan, target, {.name = "bench", .mark = true});
  F8_TRY(const Measured total, measure(compiled, plain, samples, toolchain, {.count_instructions = true}));
  F8_TRY(const Measured parts, measure(compiled, marked, samples, toolchain, {.count_stretches = true}));

  Cost cost;
  cost.instructions = total.run.models[0].instructions;
  cost.macs = passes::total_macs(int8);
  cost.weight_bytes = plain.weight_bytes;
  cost.code_bytes = total.built.sizes.code_bytes;
  cost.functions = total.built.sizes.functions;
  cost.arena_bytes = compiled.plan.arena_bytes;
  cost.stack_bytes = total.run.models[0].stack_bytes;
  require(parts.run.stretches.size() == compiled.plan.units.size(),
          "a mark stands before the first unit and after each");
  for (size_t u = 0; u < compiled.plan.units.size(); ++u) {
    cost.nodes.push_back(cost_of(compiled, compiled.plan.units[u], parts.run.stretches[u]));
    cost.cycles += cost.nodes.back().cycles;
  }
  return cost;
}

}  // namespace fold8::driver
