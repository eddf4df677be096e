#include "plan/content.h"

#include <algorithm>

#include "plan/plan.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Overlay;
using ir::Program;
using ir::ValueId;

// The part of `content` in [from, to), moved to start at `at`.
Content clip(const Content& content, int64_t from, int64_t to, int64_t at) {
  Content out;
  for (const Segment& s : content) {
    const int64_t begin = std::max(s.begin, from);
    const int64_t end = std::min(s.end(), to);
    if (begin < end) out.push_back({begin - from + at, end - begin, s.origin, s.origin_begin + begin - s.begin});
  }
  return out;
}

bool meet(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

// A byte of a result has one source, and a byte of an operand goes to one place of a result.
bool clash(const Content& taken, const Content& more) {
  return std::ranges::any_of(taken, [&](const Segment& t) {
    return std::ranges::any_of(more, [&](const Segment& m) {
      return meet(t.begin, t.bytes, m.begin, m.bytes) ||
             (t.origin == m.origin && meet(t.origin_begin, t.bytes, m.origin_begin, m.bytes));
    });
  });
}

// Sorts, and fills what no overlay covers with data of the value itself.
void complete(Content& content, ValueId self, int64_t bytes) {
  std::ranges::sort(content, {}, &Segment::begin);
  Content fresh;
  int64_t at = 0;
  for (const Segment& s : content) {
    if (at < s.begin) fresh.push_back({at, s.begin - at, self, at});
    at = s.end();
  }
  if (at < bytes) fresh.push_back({at, bytes - at, self, at});
  content.insert(content.end(), fresh.begin(), fresh.end());
  std::ranges::sort(content, {}, &Segment::begin);
}

}  // namespace

std::vector<Overlay> usable_overlays(const Program& program, const Node& node) {
  if (node.op->access.overlays == nullptr) return {};
  std::vector<Overlay> found = node.op->access.overlays(program, node);
  std::erase_if(found, [&](const Overlay& o) {
    require(o.operand < node.inputs.size() && o.result < node.outputs.size(), "an overlay names operand and result");
    const ValueId operand = node.inputs[o.operand];
    return operand == ValueId::none || program[operand].is_constant() || o.delta_bytes % kValueAlign != 0;
  });
  return found;
}

bool is_view(const Program& program, const Node& node) {
  const std::vector<Overlay> overlays = usable_overlays(program, node);
  return overlays.size() == 1 && overlays[0].delta_bytes == 0 &&
         value_bytes(program, node.inputs[overlays[0].operand]) == value_bytes(program, node.outputs[0]);
}

IndexedVector<ValueId, Content> contents(const Program& program) {
  IndexedVector<ValueId, Content> all(program.values.size());
  for (ValueId id : program.inputs)
    if (all[id].empty()) complete(all[id], id, value_bytes(program, id));
  for (const Node& node : program.nodes) {
    for (const Overlay& o : usable_overlays(program, node)) {
      Content& result = all[node.outputs[o.result]];
      const int64_t from = std::max<int64_t>(o.delta_bytes, 0);
      const int64_t to = o.delta_bytes + value_bytes(program, node.outputs[o.result]);
      const Content shared = clip(all[node.inputs[o.operand]], from, to, from - o.delta_bytes);
      if (!clash(result, shared)) result.insert(result.end(), shared.begin(), shared.end());
    }
    for (ValueId id : node.outputs) complete(all[id], id, value_bytes(program, id));
  }
  return all;
}

bool agree(const Content& a, const Content& b, int64_t delta) {
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const int64_t begin = b[j].begin + delta;  // in a's bytes
    const int64_t end = b[j].end() + delta;
    const bool same = a[i].origin == b[j].origin && a[i].origin_begin - a[i].begin == b[j].origin_begin - begin;
    if (meet(a[i].begin, a[i].bytes, begin, b[j].bytes) && !same) return false;
    if (a[i].end() <= end) {
      ++i;
    } else {
      ++j;
    }
  }
  return true;
}

}  // namespace fold8::plan
