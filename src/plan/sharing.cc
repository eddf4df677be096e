#include "plan/sharing.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "plan/buffers.h"
#include "plan/content.h"
#include "plan/plan.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Program;
using ir::ValueId;

int64_t round_up(int64_t n, int64_t align) { return (n + align - 1) / align * align; }
int64_t round_down(int64_t n, int64_t align) { return n / align * align; }  // n >= 0

struct Member {
  ValueId value = ValueId::none;
  int64_t at = 0;
};

const Trail* find_trail(const Unit& unit, ValueId operand, ValueId result) {
  const auto found =
      std::ranges::find_if(unit.trails, [&](const Trail& t) { return t.operand == operand && t.result == result; });
  return found == unit.trails.end() ? nullptr : &*found;
}

// Whether a unit may write `result` to where `operand` begins.
bool may_replace(const Program& program, const Unit& unit, ValueId operand, ValueId result) {
  if (const Trail* trail = find_trail(unit, operand, result)) return trail->in_place;
  const ir::Type& from = program.type(operand);
  const ir::Type& to = program.type(result);
  return !unit.is_stream() && program.nodes[unit.first].op->access.elementwise && from.elems() == to.elems() &&
         ir::elem_bytes(from.elem) == ir::elem_bytes(to.elem);
}

// Activations that a unit reads and does not make, in the order of its nodes.
std::vector<ValueId> operands_of(const Program& program, const Unit& unit) {
  std::vector<ValueId> all;
  for (size_t i = unit.first; i < unit.end; ++i)
    for (ValueId id : program.nodes[i].inputs)
      if (id != ValueId::none && !program[id].is_constant() && !unit.ring_rows.contains(id)) all.push_back(id);
  return all;
}

// First byte of members, and the one behind their last.
std::pair<int64_t, int64_t> extent(const Program& program, const std::vector<Member>& members) {
  int64_t begin = INT64_MAX;
  int64_t end = INT64_MIN;
  for (const Member& m : members) {
    begin = std::min(begin, m.at);
    end = std::max(end, m.at + value_bytes(program, m.value));
  }
  return {begin, end};
}

// Values in groups at fixed distances; starts with each activation alone.
class Groups {
 public:
  Groups(const Program& program, const std::vector<Unit>& units, IndexedVector<ValueId, Life> lives)
      : program_(program),
        units_(units),
        lives_(std::move(lives)),
        contents_(contents(program)),
        group_(program.values.size()),
        at_(program.values.size(), 0),
        buffer_(program.values.size(), 0) {
    for (ValueId id : program.values.keys()) {
      group_[id] = members_.size();
      members_.push_back(lives_[id].exists() ? std::vector{Member{id, 0}} : std::vector<Member>{});
    }
    const std::vector<ValueId> ends = buffered_ends(program);
    for (size_t k = 0; k < ends.size(); ++k) buffer_[group_[ends[k]]] = k + 1;
  }

  // Fixes address(b) = address(a) + delta, unless something in the two groups would then lose its data.
  bool join(ValueId a, ValueId b, int64_t delta) {
    const size_t into = group_[a];
    const size_t from = group_[b];
    const int64_t shift = at_[a] + delta - at_[b];
    if (into == from) return shift == 0;
    if (!fits_buffer(into, from, shift) || !fits_buffer(from, into, -shift)) return false;
    for (const Member& u : members_[into])
      for (const Member& v : members_[from])
        if (!may_share(u.value, v.value, v.at + shift - u.at)) return false;
    for (const Member& v : members_[from]) {
      group_[v.value] = into;
      at_[v.value] = v.at + shift;
      members_[into].push_back({v.value, v.at + shift});
    }
    members_[from].clear();
    buffer_[into] = std::max(buffer_[into], buffer_[from]);
    return true;
  }

  const std::vector<std::vector<Member>>& members() const { return members_; }
  size_t buffer(size_t group) const { return buffer_[group]; }
  const Life& life(ValueId id) const { return lives_[id]; }

 private:
  // Whether the members of `guest`, moved by `shift`, lie in the buffer that `host` has (its own end is all of it) and
  // may: other ends are where the caller looks for them.
  bool fits_buffer(size_t host, size_t guest, int64_t shift) const {
    if (buffer_[host] == 0) return true;
    if (std::ranges::any_of(members_[guest], [&](const Member& m) { return is_end(program_, m.value); })) return false;
    const auto [begin, end] = extent(program_, members_[host]);
    const auto [first, last] = extent(program_, members_[guest]);
    return begin <= first + shift && last + shift <= end;
  }

  // Whether b may start `delta` bytes after a.
  bool may_share(ValueId a, ValueId b, int64_t delta) const {
    if (!life(a).meets(life(b)) || delta >= value_bytes(program_, a) || -delta >= value_bytes(program_, b)) return true;
    if (agree(contents_[a], contents_[b], delta)) return true;
    return delta == 0 && (in_place(a, b) || in_place(b, a));
  }

  // Whether the unit that makes `result` may write it over `operand`, which nobody reads later.
  bool in_place(ValueId operand, ValueId result) const {
    const int step = life(result).first;
    if (step < 0 || life(operand).last != step || life(operand).first == step) return false;
    const Unit& unit = units_[static_cast<size_t>(step)];
    return may_replace(program_, unit, operand, result);
  }

  const Program& program_;
  const std::vector<Unit>& units_;
  IndexedVector<ValueId, Life> lives_;
  IndexedVector<ValueId, Content> contents_;
  IndexedVector<ValueId, size_t> group_;  // that each value is in, at_ from its begin
  IndexedVector<ValueId, int64_t> at_;
  std::vector<size_t> buffer_;  // of each group, as of Sharing
  std::vector<std::vector<Member>> members_;
};

void grant_overlays(const Program& program, const std::set<size_t>& refused, Groups& groups) {
  for (size_t i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    if (refused.contains(i)) continue;
    for (const ir::Overlay& o : usable_overlays(program, node))
      groups.join(node.inputs[o.operand], node.outputs[o.result], o.delta_bytes);
  }
}

// Results that may lie nowhere but over an operand, or apart from it. Those that may trail it keep that freedom.
void grant_in_place(const Program& program, const std::vector<Unit>& units, Groups& groups) {
  for (size_t i = 0; i < units.size(); ++i) {
    const Node& node = program.nodes[units[i].end - 1];
    for (ValueId result : node.outputs)
      for (ValueId operand : operands_of(program, units[i])) {
        const Trail* trail = find_trail(units[i], operand, result);
        const bool fits = groups.life(operand).last == static_cast<int>(i) &&
                          may_replace(program, units[i], operand, result) && (trail == nullptr || trail->distance > 0);
        if (fits && groups.join(operand, result, 0)) break;
      }
  }
}

void add_group(const Program& program, const Groups& groups, size_t group, Sharing& sharing) {
  const std::vector<Member>& members = groups.members()[group];
  const auto [begin, end] = extent(program, members);
  Block block{end - begin, kValueAlign, INT32_MAX, -1};
  for (const Member& m : members) {
    const Life life = groups.life(m.value);
    sharing.items.push_back({m.value, life, value_bytes(program, m.value), sharing.blocks.size(), m.at - begin});
    block.first = std::min(block.first, life.first);
    block.last = std::max(block.last, life.last);
  }
  sharing.blocks.push_back(block);
  sharing.buffer.push_back(groups.buffer(group));
}

// Bytes of a set of live items, those of one block at one place counted once; rounded out if `padded`.
int64_t live_bytes(const Sharing& sharing, const std::vector<size_t>& live, bool padded) {
  std::vector<std::tuple<size_t, int64_t, int64_t>> runs;
  for (size_t i : live) {
    const Item& item = sharing.items[i];
    const int64_t align = padded ? sharing.blocks[item.block].align : 1;
    runs.emplace_back(item.block, round_down(item.at, align), round_up(item.at + item.bytes, align));
  }
  std::ranges::sort(runs);
  int64_t total = 0;
  size_t block = SIZE_MAX;
  int64_t covered = 0;
  for (const auto& [b, begin, end] : runs) {
    if (b != block) covered = 0;
    block = b;
    total += std::max<int64_t>(0, end - std::max(begin, covered));
    covered = std::max(covered, end);
  }
  return total;
}

// Calls visit(step, live items) for every step at which something is born: a largest live set is among these.
template <class Visit>
void for_each_step(const Sharing& sharing, Visit visit) {
  std::vector<size_t> by_birth(sharing.items.size());
  std::iota(by_birth.begin(), by_birth.end(), size_t{0});
  std::ranges::stable_sort(by_birth, {}, [&](size_t i) { return sharing.items[i].life.first; });
  std::vector<size_t> live;
  for (size_t i = 0; i < by_birth.size();) {
    const int step = sharing.items[by_birth[i]].life.first;
    std::erase_if(live, [&](size_t item) { return sharing.items[item].life.last < step; });
    const size_t old = live.size();
    for (; i < by_birth.size() && sharing.items[by_birth[i]].life.first == step; ++i) live.push_back(by_birth[i]);
    visit(step, live, old);
  }
}

// The trail of `result` behind `operand`, if they meet in one unit only and lie in different blocks.
const Trail* trail_between(const std::vector<Unit>& units, const Item& operand, const Item& result) {
  const int step = result.life.first;
  if (step < 0 || operand.life.last != step || operand.life.first == step || operand.block == result.block ||
      static_cast<size_t>(step) >= units.size())
    return nullptr;
  return find_trail(units[static_cast<size_t>(step)], operand.value, result.value);
}

// The bytes that results of this step share with their operands at best; more than can be had where they trail several.
int64_t trailing_bytes(const Sharing& sharing, const std::vector<Unit>& units, const std::vector<size_t>& live,
                       int step) {
  int64_t total = 0;
  for (size_t r : live)
    for (size_t o : live) {
      const Item& result = sharing.items[r];
      const Item& operand = sharing.items[o];
      if (result.life.first != step) continue;
      if (const Trail* trail = trail_between(units, operand, result)) {
        const int64_t span = std::max(result.bytes, operand.bytes + std::max<int64_t>(trail->distance, 0));
        total += std::max<int64_t>(0, operand.bytes + result.bytes - span);
      }
    }
  return total;
}

}  // namespace

IndexedVector<ValueId, Life> lifetimes(const Program& program, const std::vector<Unit>& units) {
  IndexedVector<ValueId, Life> lives(program.values.size());
  auto born = [&](ValueId id, int step) { lives[id] = {step, step}; };
  for (ValueId id : program.inputs) born(id, -1);
  int step = 0;
  for (const Unit& unit : units) {
    for (ValueId id : operands_of(program, unit)) lives[id].last = step;
    for (size_t i = unit.first; i < unit.end; ++i)
      for (ValueId id : program.nodes[i].outputs)
        if (!unit.ring_rows.contains(id)) born(id, step);
    ++step;
  }
  for (ValueId id : program.outputs)
    if (!program[id].is_constant()) lives[id].last = step;
  for (ValueId id : program.inputs)
    if (program[id].buffer == ir::Buffer::caller) lives[id].last = step;
  return lives;
}

Sharing share(const Program& program, const std::vector<Unit>& units, int64_t scratch_align,
              const std::set<size_t>& refused) {
  Groups groups(program, units, lifetimes(program, units));
  grant_overlays(program, refused, groups);
  grant_in_place(program, units, groups);
  Sharing sharing;
  for (size_t group = 0; group < groups.members().size(); ++group)
    if (!groups.members()[group].empty()) add_group(program, groups, group, sharing);
  int step = 0;
  auto add = [&](ValueId id, int64_t bytes, int64_t align) {
    if (bytes == 0) return;
    sharing.items.push_back({id, {step, step}, bytes, sharing.blocks.size(), 0});
    sharing.blocks.push_back({bytes, align, step, step});
    sharing.buffer.push_back(0);
  };
  for (const Unit& unit : units) {
    add(ValueId::none, unit.scratch_bytes, scratch_align);
    for (const auto& [id, rows] : unit.ring_rows) add(id, ring_bytes(program, id, rows), kValueAlign);
    ++step;
  }
  return sharing;
}

Load load_of(const Sharing& sharing, const std::vector<Unit>& units) {
  Load load;
  for_each_step(sharing, [&](int step, std::vector<size_t> live, size_t) {
    std::erase_if(live, [&](size_t i) { return sharing.buffer[sharing.items[i].block] != 0; });
    const int64_t shared = trailing_bytes(sharing, units, live, step);
    const int64_t bytes = live_bytes(sharing, live, false) - shared;
    if (bytes > load.bytes) {
      load.bytes = bytes;
      load.step = step;
    }
    load.padded_bytes = std::max(load.padded_bytes, live_bytes(sharing, live, true) - shared);
  });
  return load;
}

std::vector<Apart> constraints(const Sharing& sharing, const std::vector<Unit>& units) {
  std::vector<Apart> all;
  auto add = [&](const Item& x, const Item& y) {
    if (x.block == y.block || x.bytes == 0 || y.bytes == 0) return;
    if (sharing.buffer[x.block] != sharing.buffer[y.block]) return;
    const auto& [a, b] = x.block < y.block ? std::tie(x, y) : std::tie(y, x);
    Apart apart{a.block, b.block, a.at - b.at - b.bytes, a.at - b.at + a.bytes};  // nothing in common
    if (const Trail* t = trail_between(units, a, b)) apart.lo = a.at - b.at - t->distance;
    if (const Trail* t = trail_between(units, b, a)) apart.hi = a.at - b.at + t->distance;
    if (apart.lo < apart.hi) all.push_back(apart);
  };
  for_each_step(sharing, [&](int, const std::vector<size_t>& live, size_t old) {
    for (size_t i = old; i < live.size(); ++i)
      for (size_t j = 0; j < i; ++j) add(sharing.items[live[i]], sharing.items[live[j]]);
  });
  std::ranges::sort(all, {}, [](const Apart& c) { return std::tuple(c.a, c.b, c.lo, c.hi); });
  std::vector<Apart> merged;  // intervals that overlap become one
  for (const Apart& c : all) {
    const bool extends = !merged.empty() && merged.back().a == c.a && merged.back().b == c.b && c.lo < merged.back().hi;
    if (extends) {
      merged.back().hi = std::max(merged.back().hi, c.hi);
    } else {
      merged.push_back(c);
    }
  }
  return merged;
}

}  // namespace fold8::plan
