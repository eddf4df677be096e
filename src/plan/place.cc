#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/checked.h"
#include "plan/content.h"
#include "plan/packing.h"
#include "plan/plan.h"
#include "plan/schedule.h"
#include "plan/sharing.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Program;
using ir::ValueId;

constexpr int kRefusals = 16;  // of overlays, tried

Diag too_large(const Program& program, std::string_view what, std::string bytes) {
  return error("F8-0501",
               fmt::format("{} needs {} bytes of memory, a core has less than {}", what, bytes, kMaxArenaBytes))
      .in(program.file);
}

// Sizes whose sums cannot overflow.
Result<> check_sizes(const Program& program) {
  Diags diags;
  auto check = [&](ValueId id) {
    const ir::Value& value = program[id];
    const auto elems = checked_elems(value.type.shape);
    const auto bytes = elems ? checked_mul(*elems, static_cast<int64_t>(ir::elem_bytes(value.type.elem))) : elems;
    if (bytes && *bytes <= kMaxArenaBytes) return;
    diags.push_back(too_large(program, "%" + value.name, bytes ? fmt::format("{}", *bytes) : "more than 2^63"));
  };
  std::ranges::for_each(program.inputs, check);
  for (const Node& node : program.nodes) std::ranges::for_each(node.outputs, check);
  if (!diags.empty()) return diags;
  return ok;
}

std::vector<int64_t> scratch_of(const Program& program, const target::Target& target) {
  std::vector<int64_t> bytes;
  for (const Node& node : program.nodes) {
    bytes.push_back(node.op->scratch_bytes == nullptr ? 0 : node.op->scratch_bytes(program, node, target));
    require(bytes.back() >= 0 && bytes.back() <= kMaxArenaBytes, "a kernel asks for scratch of a sensible size");
  }
  return bytes;
}

int64_t base_align(const target::Target& target) { return std::max<int64_t>(kValueAlign, target.align); }

// A program in some order, what shares bytes in it, and where that lies.
struct Draft {
  std::vector<int64_t> scratch_bytes;
  Sharing sharing;
  Load load;
  Packing packing;
};

Draft draft_of(const Program& program, const target::Target& target, const std::set<size_t>& refused = {}) {
  Draft d;
  d.scratch_bytes = scratch_of(program, target);
  d.sharing = share(program, d.scratch_bytes, base_align(target), refused);
  d.load = load_of(d.sharing);
  return d;
}

void pack_draft(Draft& d, int64_t work) {
  d.packing = pack({d.sharing.blocks, constraints(d.sharing), d.load.padded_bytes, d.load.step}, work);
}

// Reorders the nodes if that needs less.
Draft schedule(Program& program, const target::Target& target) {
  Draft given = draft_of(program, target);
  pack_draft(given, kPackingWork);
  const std::vector<size_t> order = best_order(program, given.scratch_bytes);
  if (std::ranges::is_sorted(order)) return given;
  std::vector<Node> nodes;
  for (size_t i : order) nodes.push_back(program.nodes[i]);
  std::swap(program.nodes, nodes);
  Draft found = draft_of(program, target);
  pack_draft(found, kPackingWork);
  auto cost = [](const Draft& d) { return std::pair(d.packing.bytes, d.load.bytes); };
  if (cost(found) < cost(given)) return found;
  std::swap(program.nodes, nodes);
  return given;
}

// Overlays hold values at fixed distances, and the hole that this leaves can cost more than the copy that it saves.
// Takes back the overlays of one node after the other where the arena shrinks by it.
void refuse_costly_overlays(const Program& program, const target::Target& target, Draft& best) {
  std::set<size_t> refused;
  int tries = kRefusals;
  for (size_t i = 0; i < program.nodes.size() && tries > 0; ++i) {
    const Node& node = program.nodes[i];
    if (best.packing.bytes <= best.load.padded_bytes) return;
    if (node.op->has(ir::trait::shape_only) || usable_overlays(program, node).empty()) continue;
    --tries;
    refused.insert(i);
    Draft without = draft_of(program, target, refused);
    pack_draft(without, kPackingWork / kRefusals);
    if (without.packing.bytes < best.packing.bytes) {
      best = std::move(without);
    } else {
      refused.erase(i);
    }
  }
}

Plan write_down(Program& program, const Draft& draft, int64_t align) {
  Plan plan;
  plan.arena_bytes = draft.packing.bytes;
  plan.lower_bound_bytes = draft.load.bytes;
  plan.align = align;
  plan.scratch_offsets.assign(program.nodes.size(), -1);
  plan.scratch_bytes = draft.scratch_bytes;
  const auto last = static_cast<int>(program.nodes.size()) - 1;
  plan.peak_node = static_cast<size_t>(std::clamp(draft.load.step, 0, std::max(last, 0)));
  for (const Item& item : draft.sharing.items) {
    const int64_t offset = draft.packing.address[item.block] + item.at;
    if (item.value == ValueId::none) {
      plan.scratch_offsets[static_cast<size_t>(item.life.first)] = offset;
    } else {
      program[item.value].offset = offset;
    }
  }
  return plan;
}

}  // namespace

Result<Plan> place(Program& program, const target::Target& target) {
  require(program.form == ir::Form::packed, "place() takes a packed program");
  F8_CHECK(check_sizes(program));
  Draft draft = schedule(program, target);
  refuse_costly_overlays(program, target, draft);
  const int64_t bytes = draft.packing.bytes;
  if (bytes > kMaxArenaBytes) return too_large(program, "the program", fmt::format("{}", bytes));
  const Plan plan = write_down(program, draft, base_align(target));
  program.form = ir::Form::placed;
  const auto sound = verify_placement(program, plan, target);
  if (!sound) throw CompilerBug("a plan is sound, but: " + format(sound.errors()));
  return plan;
}

}  // namespace fold8::plan
