#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "base/checked.h"
#include "plan/buffers.h"
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

constexpr int kRefusals = 16;               // of overlays, tried
constexpr int kStreamTries = 16;            // streams in a program
constexpr size_t kStreamNodes[] = {6, 12};  // in a stream at most: tried in turn, as long ones are not always best
constexpr int64_t kBufferWork = kPackingWork / 16;  // for one of the caller's buffers
constexpr int64_t kWorthStreaming = 32;             // a stream must save this part of the arena

// The arena's size, and that of any value.
int64_t most_bytes(const Program& program) {
  return buffered_ends(program).empty() ? kMaxArenaBytes : kMaxBufferBytes - 1;
}

Diag too_large(const Program& program, std::string_view what, std::string bytes) {
  const std::string limit = buffered_ends(program).empty()
                                ? fmt::format("a core has less than {}", kMaxArenaBytes)
                                : fmt::format("beside buffers of the caller's it may have {}", most_bytes(program));
  return error("F8-0501", fmt::format("{} needs {} bytes of memory, {}", what, bytes, limit)).in(program.file);
}

// Sizes whose sums cannot overflow.
Result<> check_sizes(const Program& program) {
  Diags diags;
  if (const size_t buffers = buffered_ends(program).size(); buffers > kMaxBuffers)
    diags.push_back(error("F8-0503", fmt::format("{} inputs and outputs in buffers of the caller's, at most {} may be",
                                                 buffers, kMaxBuffers))
                        .in(program.file));
  auto check = [&](ValueId id) {
    const ir::Value& value = program[id];
    const auto elems = checked_elems(value.type.shape);
    const auto bytes = elems ? checked_mul(*elems, static_cast<int64_t>(ir::elem_bytes(value.type.elem))) : elems;
    if (bytes && *bytes <= most_bytes(program)) return;
    diags.push_back(too_large(program, "%" + value.name, bytes ? fmt::format("{}", *bytes) : "more than 2^63"));
  };
  std::ranges::for_each(program.inputs, check);
  for (const Node& node : program.nodes) std::ranges::for_each(node.outputs, check);
  if (!diags.empty()) return diags;
  return ok;
}

int64_t base_align(const target::Target& target) { return std::max<int64_t>(kValueAlign, target.align); }

// A program in some order, what runs as one, what shares bytes, and where that lies.
struct Draft {
  std::vector<Unit> units;
  Sharing sharing;
  Load load;
  Packing packing;
};

// Packs the blocks of one memory: `addresses`, one for each block of the draft, get those of its blocks. The bytes
// used.
int64_t pack_memory(const Draft& d, size_t buffer, int64_t goal_bytes, int64_t work, std::vector<int64_t>& addresses) {
  PackingProblem problem{{}, {}, goal_bytes, d.load.step};
  std::vector<size_t> blocks, place(d.sharing.blocks.size());
  for (size_t b = 0; b < place.size(); ++b) {
    if (d.sharing.buffer[b] != buffer) continue;
    place[b] = blocks.size();
    blocks.push_back(b);
    problem.blocks.push_back(d.sharing.blocks[b]);
  }
  for (const Apart& c : constraints(d.sharing, d.units))
    if (d.sharing.buffer[c.a] == buffer) problem.apart.push_back({place[c.a], place[c.b], c.lo, c.hi});
  const Packing packing = pack(problem, work);
  for (size_t i = 0; i < blocks.size(); ++i) addresses[blocks[i]] = buffer_begin(buffer) + packing.address[i];
  return packing.bytes;
}

// Blocks that are live at the arena's peak and that the caller knows nothing of, the largest first.
std::vector<size_t> blocks_at_peak(const Program& program, const Draft& d) {
  std::set<size_t> live, ends;
  for (const Item& item : d.sharing.items) {
    if (item.value != ValueId::none && is_end(program, item.value)) ends.insert(item.block);
    if (d.sharing.buffer[item.block] == 0 && item.life.meets({d.load.step, d.load.step})) live.insert(item.block);
  }
  std::vector<size_t> blocks;
  std::ranges::set_difference(live, ends, std::back_inserter(blocks));
  std::ranges::stable_sort(blocks, std::ranges::greater(), [&](size_t b) { return d.sharing.blocks[b].bytes; });
  return blocks;
}

// Moves a block from the arena's peak into a buffer of the caller's that it fits. Whether the peak is lower by it, or
// elsewhere.
bool move_from_peak(const Program& program, const std::vector<ValueId>& ends, Draft& d) {
  std::vector<int64_t> addresses(d.sharing.blocks.size());
  for (size_t block : blocks_at_peak(program, d))
    for (size_t k = 1; k <= ends.size(); ++k) {
      const int64_t room = value_bytes(program, ends[k - 1]);
      if (!may_write(program, ends[k - 1]) || d.sharing.blocks[block].bytes > room) continue;
      d.sharing.buffer[block] = k;
      const Load load = load_of(d.sharing, d.units);
      const bool helps = load.bytes < d.load.bytes || load.step != d.load.step;
      if (helps && pack_memory(d, k, room, kBufferWork, addresses) <= room) {
        d.load = load;
        return true;
      }
      d.sharing.buffer[block] = 0;
    }
  return false;
}

Draft draft_of(const Program& program, const target::Target& target, std::vector<Unit> units,
               const std::set<size_t>& refused = {}) {
  Draft d;
  d.units = std::move(units);
  d.sharing = share(program, d.units, base_align(target), refused);
  d.load = load_of(d.sharing, d.units);
  const std::vector<ValueId> ends = buffered_ends(program);
  while (!ends.empty() && move_from_peak(program, ends, d)) {
  }
  return d;
}

void pack_draft(const Program& program, Draft& d, int64_t work) {
  d.packing.address.resize(d.sharing.blocks.size());
  d.packing.bytes = pack_memory(d, 0, d.load.padded_bytes, work, d.packing.address);
  const std::vector<ValueId> ends = buffered_ends(program);
  for (size_t k = 1; k <= ends.size(); ++k)
    pack_memory(d, k, value_bytes(program, ends[k - 1]), kBufferWork, d.packing.address);
}

// Reorders the nodes if that needs less.
Draft schedule(Program& program, const target::Target& target) {
  Draft given = draft_of(program, target, single_units(program, target));
  pack_draft(program, given, kPackingWork);
  std::vector<int64_t> scratch_bytes;
  for (const Unit& unit : given.units) scratch_bytes.push_back(unit.scratch_bytes);
  const std::vector<size_t> order = best_order(program, scratch_bytes);
  if (std::ranges::is_sorted(order)) return given;
  program.nodes.reorder(order);
  Draft found = draft_of(program, target, single_units(program, target));
  pack_draft(program, found, kPackingWork);
  auto cost = [](const Draft& d) { return std::pair(d.packing.bytes, d.load.bytes); };
  if (cost(found) < cost(given)) return found;
  std::vector<size_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[order[i]] = i;
  program.nodes.reorder(back);
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
    if (is_view(program, node) || usable_overlays(program, node).empty()) continue;
    --tries;
    refused.insert(i);
    Draft without = draft_of(program, target, best.units, refused);
    pack_draft(program, without, kPackingWork / kRefusals);
    if (without.packing.bytes < best.packing.bytes) {
      best = std::move(without);
    } else {
      refused.erase(i);
    }
  }
}

// Units with the nodes [first, end) as one stream; nothing where they cannot be one or cut another.
std::optional<std::vector<Unit>> with_stream(const Program& program, const target::Target& target,
                                             const std::vector<Unit>& units, size_t first, size_t end) {
  std::optional<Unit> joined = stream(program, target, first, end);
  if (!joined) return std::nullopt;
  std::vector<Unit> all;
  for (const Unit& unit : units) {
    if (unit.end <= first || unit.first >= end) {
      all.push_back(unit);
    } else if (unit.first < first || unit.end > end) {
      return std::nullopt;
    } else if (unit.first == first) {
      all.push_back(std::move(*joined));
    }
  }
  return all;
}

// The best draft in which the unit at the peak runs in turns with neighbours.
std::optional<Draft> stream_at_peak(const Program& program, const target::Target& target, const Draft& draft,
                                    size_t most_nodes) {
  if (draft.load.step < 0 || static_cast<size_t>(draft.load.step) >= draft.units.size()) return std::nullopt;
  const Unit& peak = draft.units[static_cast<size_t>(draft.load.step)];
  std::optional<Draft> best;
  for (size_t first = peak.end < most_nodes ? 0 : peak.end - most_nodes; first <= peak.first; ++first)
    for (size_t end = std::max(peak.end, first + 2); end <= first + most_nodes && end <= program.nodes.size(); ++end) {
      auto units = with_stream(program, target, draft.units, first, end);
      if (!units) continue;
      Draft d = draft_of(program, target, std::move(*units));
      const int64_t limit = best ? best->packing.bytes : draft.packing.bytes - draft.packing.bytes / kWorthStreaming;
      if (d.load.bytes >= limit) continue;
      pack_draft(program, d, kPackingWork / kStreamTries);
      if (d.packing.bytes < limit) best = std::move(d);
    }
  return best;
}

// Runs ops by rows, in turns, where the arena shrinks by it and is larger than it may be.
void stream_costly_units(const Program& program, const target::Target& target, int64_t ram_bytes, Draft& best,
                         size_t most_nodes) {
  for (int i = 0; i < kStreamTries && best.packing.bytes > ram_bytes; ++i) {
    std::optional<Draft> better = stream_at_peak(program, target, best, most_nodes);
    if (!better) return;
    best = std::move(*better);
  }
}

// Every run of nodes inside [first, end), shorter ones first, single nodes left out.
std::vector<std::pair<size_t, size_t>> shorter_runs(size_t first, size_t end) {
  std::vector<std::pair<size_t, size_t>> runs;
  for (size_t nodes = 2; nodes < end - first; ++nodes)
    for (size_t from = first; from + nodes <= end; ++from) runs.emplace_back(from, from + nodes);
  return runs;
}

// Makes streams as short as the same arena, or what the target has, allows: a node by itself can run faster (a
// depthwise convolution reads each row once), and some joined a stream before other streams made that idle.
void shorten_streams(const Program& program, const target::Target& target, int64_t ram_bytes, Draft& best) {
  const std::vector<Unit> single = single_units(program, target);
  const int64_t most = std::max(best.packing.bytes, ram_bytes);
  for (size_t u = 0; u < best.units.size(); ++u) {
    const Unit unit = best.units[u];
    if (!unit.is_stream()) continue;
    std::vector<Unit> apart(best.units.begin(), best.units.begin() + static_cast<std::ptrdiff_t>(u));
    apart.insert(apart.end(), single.begin() + static_cast<std::ptrdiff_t>(unit.first),
                 single.begin() + static_cast<std::ptrdiff_t>(unit.end));
    apart.insert(apart.end(), best.units.begin() + static_cast<std::ptrdiff_t>(u) + 1, best.units.end());
    for (const auto& [first, end] : shorter_runs(unit.first, unit.end)) {
      auto units = with_stream(program, target, apart, first, end);
      if (!units) continue;
      Draft d = draft_of(program, target, std::move(*units));
      if (d.load.bytes > most) continue;
      pack_draft(program, d, kPackingWork / kStreamTries);
      if (d.packing.bytes > most) continue;
      best = std::move(d);
      break;
    }
  }
}

// The draft with streams, where the target has not the memory that it takes without.
Draft streamed(const Program& program, const target::Target& target, int64_t ram_bytes, const Draft& draft) {
  Draft best = draft;
  for (size_t most_nodes : kStreamNodes) {
    Draft d = draft;
    stream_costly_units(program, target, ram_bytes, d, most_nodes);
    shorten_streams(program, target, ram_bytes, d);
    if (best.packing.bytes > ram_bytes && d.packing.bytes < best.packing.bytes) best = std::move(d);
  }
  return best;
}

Plan write_down(Program& program, const Draft& draft, int64_t align) {
  Plan plan;
  plan.arena_bytes = draft.packing.bytes;
  plan.lower_bound_bytes = draft.load.bytes;
  plan.align = align;
  plan.units = draft.units;
  plan.scratch_offsets.assign(plan.units.size(), -1);
  const auto last = static_cast<int>(plan.units.size()) - 1;
  plan.peak_unit = static_cast<size_t>(std::clamp(draft.load.step, 0, std::max(last, 0)));
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

Result<Plan> place(Program& program, const target::Target& target, int64_t ram_bytes) {
  require(program.form == ir::Form::packed, "place() takes a packed program");
  F8_CHECK(check_sizes(program));
  Draft draft = schedule(program, target);
  const int64_t apart_bytes = draft.packing.bytes;
  draft = streamed(program, target, ram_bytes, draft);
  refuse_costly_overlays(program, target, draft);
  const int64_t bytes = draft.packing.bytes;
  if (bytes > most_bytes(program)) return too_large(program, "the program", fmt::format("{}", bytes));
  Plan plan = write_down(program, draft, base_align(target));
  plan.apart_bytes = apart_bytes;
  program.form = ir::Form::placed;
  const auto sound = verify_placement(program, plan, target);
  if (!sound) throw CompilerBug("a plan is sound, but: " + format(sound.errors()));
  return plan;
}

}  // namespace fold8::plan
