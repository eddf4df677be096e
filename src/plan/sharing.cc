#include "plan/sharing.h"

#include <algorithm>
#include <numeric>
#include <tuple>

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

// Values in groups at fixed distances; starts with each activation alone.
class Groups {
 public:
  Groups(const Program& program, std::vector<Life> lives)
      : program_(program),
        lives_(std::move(lives)),
        contents_(contents(program)),
        group_(program.values.size()),
        at_(program.values.size(), 0) {
    std::iota(group_.begin(), group_.end(), size_t{0});
    for (size_t v = 0; v < program.values.size(); ++v)
      members_.push_back(lives_[v].exists() ? std::vector{Member{static_cast<ValueId>(v), 0}} : std::vector<Member>{});
  }

  // Fixes address(b) = address(a) + delta, unless something in the two groups would then lose its data.
  bool join(ValueId a, ValueId b, int64_t delta) {
    const size_t into = group_[index(a)];
    const size_t from = group_[index(b)];
    const int64_t shift = at_[index(a)] + delta - at_[index(b)];
    if (into == from) return shift == 0;
    for (const Member& u : members_[into])
      for (const Member& v : members_[from])
        if (!may_share(u.value, v.value, v.at + shift - u.at)) return false;
    for (const Member& v : members_[from]) {
      group_[index(v.value)] = into;
      at_[index(v.value)] = v.at + shift;
      members_[into].push_back({v.value, v.at + shift});
    }
    members_[from].clear();
    return true;
  }

  const std::vector<std::vector<Member>>& members() const { return members_; }
  const Life& life(ValueId id) const { return lives_[index(id)]; }

 private:
  static size_t index(ValueId id) { return static_cast<size_t>(id); }

  // Whether b may start `delta` bytes after a.
  bool may_share(ValueId a, ValueId b, int64_t delta) const {
    if (!life(a).meets(life(b)) || delta >= value_bytes(program_, a) || -delta >= value_bytes(program_, b)) return true;
    if (agree(contents_[index(a)], contents_[index(b)], delta)) return true;
    return delta == 0 && (in_place(a, b) || in_place(b, a));
  }

  // Whether the node that makes `result` may write it over `operand`, which nobody reads later.
  bool in_place(ValueId operand, ValueId result) const {
    const int step = life(result).first;
    if (step < 0 || life(operand).last != step || life(operand).first == step) return false;
    const ir::Type& from = program_.type(operand);
    const ir::Type& to = program_.type(result);
    return program_.nodes[static_cast<size_t>(step)].op->has(ir::trait::elementwise) && from.elems() == to.elems() &&
           ir::elem_bytes(from.elem) == ir::elem_bytes(to.elem);
  }

  const Program& program_;
  std::vector<Life> lives_;
  std::vector<Content> contents_;
  std::vector<size_t> group_;
  std::vector<int64_t> at_;
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

void grant_in_place(const Program& program, Groups& groups) {
  for (size_t i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    if (!node.op->has(ir::trait::elementwise)) continue;
    for (ValueId result : node.outputs)
      for (ValueId operand : node.inputs) {
        const bool fits = operand != ValueId::none && !program[operand].is_constant() &&
                          groups.life(operand).last == static_cast<int>(i) &&
                          value_bytes(program, operand) == value_bytes(program, result);
        if (fits && groups.join(operand, result, 0)) break;
      }
  }
}

void add_group(const Program& program, const Groups& groups, const std::vector<Member>& members, Sharing& sharing) {
  int64_t begin = INT64_MAX;
  int64_t end = INT64_MIN;
  for (const Member& m : members) {
    begin = std::min(begin, m.at);
    end = std::max(end, m.at + value_bytes(program, m.value));
  }
  Block block{end - begin, kValueAlign, INT32_MAX, -1};
  for (const Member& m : members) {
    const Life life = groups.life(m.value);
    sharing.items.push_back({m.value, life, value_bytes(program, m.value), sharing.blocks.size(), m.at - begin});
    block.first = std::min(block.first, life.first);
    block.last = std::max(block.last, life.last);
  }
  sharing.blocks.push_back(block);
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

}  // namespace

std::vector<Life> lifetimes(const Program& program) {
  std::vector<Life> lives(program.values.size());
  auto born = [&](ValueId id, int step) { lives[static_cast<size_t>(id)] = {step, step}; };
  auto read = [&](ValueId id, int step) {
    if (id != ValueId::none && !program[id].is_constant()) lives[static_cast<size_t>(id)].last = step;
  };
  for (ValueId id : program.inputs) born(id, -1);
  int step = 0;
  for (const Node& node : program.nodes) {
    for (ValueId id : node.inputs) read(id, step);
    for (ValueId id : node.outputs) born(id, step);
    ++step;
  }
  for (ValueId id : program.outputs) read(id, step);
  return lives;
}

Sharing share(const Program& program, const std::vector<int64_t>& scratch_bytes, int64_t scratch_align,
              const std::set<size_t>& refused) {
  Groups groups(program, lifetimes(program));
  grant_overlays(program, refused, groups);
  grant_in_place(program, groups);
  Sharing sharing;
  for (const auto& members : groups.members())
    if (!members.empty()) add_group(program, groups, members, sharing);
  for (size_t i = 0; i < scratch_bytes.size(); ++i) {
    if (scratch_bytes[i] == 0) continue;
    const int step = static_cast<int>(i);
    sharing.items.push_back({ValueId::none, {step, step}, scratch_bytes[i], sharing.blocks.size(), 0});
    sharing.blocks.push_back({scratch_bytes[i], scratch_align, step, step});
  }
  return sharing;
}

Load load_of(const Sharing& sharing) {
  Load load;
  for_each_step(sharing, [&](int step, const std::vector<size_t>& live, size_t) {
    const int64_t bytes = live_bytes(sharing, live, false);
    if (bytes > load.bytes) {
      load.bytes = bytes;
      load.step = step;
    }
    load.padded_bytes = std::max(load.padded_bytes, live_bytes(sharing, live, true));
  });
  return load;
}

std::vector<Apart> constraints(const Sharing& sharing) {
  std::vector<Apart> all;
  auto add = [&](const Item& x, const Item& y) {
    if (x.block == y.block || x.bytes == 0 || y.bytes == 0) return;
    // Nothing in common. An operand and a result that may trail it at a safe distance would get a narrower interval.
    const auto& [a, b] = x.block < y.block ? std::tie(x, y) : std::tie(y, x);
    all.push_back({a.block, b.block, a.at - b.at - b.bytes, a.at - b.at + a.bytes});
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
