#include "plan/unit.h"

#include <algorithm>

#include "plan/content.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Program;
using ir::Touch;
using ir::ValueId;

constexpr size_t kMaxStream = 255;  // nodes: turns are bytes

// A touch of a unit, by value.
struct Access {
  int64_t step = 0;
  bool write = false;
  ValueId value = ValueId::none;
  int64_t begin = 0;
  int64_t end = 0;
};

int64_t rows_of(const Program& p, ValueId id) { return p.type(id).shape[1]; }
int64_t row_bytes(const Program& p, ValueId id) { return value_bytes(p, id) / rows_of(p, id); }

int64_t scratch_of(const Program& p, const target::Target& target, size_t node) {
  const Node& n = p.nodes[node];
  return n.op->scratch_bytes == nullptr ? 0 : n.op->scratch_bytes(p, n, target);
}

// What each node of a unit touches, part by part: of a single node all at once, of a stream row by row.
using Parts = std::vector<std::vector<std::vector<Touch>>>;

Parts parts_of(const Program& p, const target::Target& target, const Unit& unit) {
  Parts parts;
  for (size_t i = unit.first; i < unit.end; ++i) {
    const Node& node = p.nodes[i];
    parts.emplace_back();
    if (!unit.is_stream()) parts.back().push_back(ir::touches_of(p, node, target, std::nullopt));
    for (int64_t row = 0; unit.is_stream() && row < rows_of(p, node.outputs[0]); ++row)
      parts.back().push_back(ir::touches_of(p, node, target, row));
  }
  return parts;
}

// Appends a part of a node, as steps after those there are.
void append(const Program& p, const Node& node, const std::vector<Touch>& part, std::vector<Access>& accesses) {
  const int64_t base = accesses.empty() ? 0 : accesses.back().step + 1;
  for (const Touch& t : part) {
    const ValueId id = t.write ? node.outputs[t.index] : node.inputs[t.index];
    if (!p[id].is_constant()) accesses.push_back({base + t.step, t.write, id, t.begin, t.end});
  }
}

std::vector<Access> accesses_of(const Program& p, const Unit& unit, const Parts& parts) {
  std::vector<Access> all;
  if (!unit.is_stream()) append(p, p.nodes[unit.first], parts[0][0], all);
  std::vector<size_t> next(unit.end - unit.first, 0);
  for (uint8_t which : unit.turns) append(p, p.nodes[unit.first + which], parts[which][next[which]++], all);
  return all;
}

// Calls read(access) for each read of `operand`, and before it written(access) for every write to `result` at an
// earlier step.
template <class Written, class Read>
void replay(const std::vector<Access>& all, ValueId operand, ValueId result, Written written, Read read) {
  size_t write = 0;
  for (const Access& a : all) {
    for (; write < all.size() && all[write].step < a.step; ++write)
      if (all[write].write && all[write].value == result) written(all[write]);
    if (!a.write && a.value == operand) read(a);
  }
}

// The byte that is read at b must not lie under a byte w written before: address(operand) + b >= address(result) + w
// + 1.
int64_t distance(const Program& p, const std::vector<Access>& all, ValueId operand, ValueId result) {
  int64_t least = -value_bytes(p, operand);
  int64_t written_end = INT64_MIN / 2;
  replay(
      all, operand, result, [&](const Access& w) { written_end = std::max(written_end, w.end); },
      [&](const Access& r) { least = std::max(least, written_end - r.begin); });
  return least;
}

bool safe_in_place(const Program& p, const std::vector<Access>& all, ValueId operand, ValueId result) {
  std::vector<bool> written(static_cast<size_t>(std::max(value_bytes(p, operand), value_bytes(p, result))), false);
  bool safe = true;
  replay(
      all, operand, result,
      [&](const Access& w) { std::fill(written.begin() + w.begin, written.begin() + w.end, true); },
      [&](const Access& r) {
        safe = safe && std::find(written.begin() + r.begin, written.begin() + r.end, true) == written.begin() + r.end;
      });
  return safe;
}

void find_trails(const Program& p, Unit& unit, const Parts& parts) {
  const std::vector<Access> all = accesses_of(p, unit, parts);
  const ValueId result = p.nodes[unit.end - 1].outputs[0];
  std::vector<ValueId> seen;
  for (size_t i = unit.first; i < unit.end; ++i)
    for (ValueId id : p.nodes[i].inputs) {
      if (id == ValueId::none || p[id].is_constant() || unit.ring_rows.contains(id)) continue;
      if (std::ranges::find(seen, id) != seen.end()) continue;
      seen.push_back(id);
      const int64_t d = distance(p, all, id, result);
      unit.trails.push_back({id, result, d, d <= 0 || safe_in_place(p, all, id, result)});
    }
}

// Pulls rows: a row of the last node asks for the rows under its windows, and so on.
class Puller {
 public:
  Puller(const Program& p, Unit& unit, const Parts& parts)
      : p_(p), unit_(unit), parts_(parts), made_(unit.end - unit.first, 0) {
    for (size_t i = unit.first; i + 1 < unit.end; ++i) unit.ring_rows[p.nodes[i].outputs[0]] = 0;
  }

  void run() {
    const size_t last = made_.size() - 1;
    for (int64_t row = 0; row < rows_of(p_, output(last)); ++row) pull(last, row);
  }

 private:
  struct Span {
    int64_t first = INT64_MAX;
    int64_t last = -1;
  };

  const Node& node(size_t which) const { return p_.nodes[unit_.first + which]; }
  ValueId output(size_t which) const { return node(which).outputs[0]; }

  // Rows of `id` that row `row` of a node reads.
  Span reads(size_t which, int64_t row, ValueId id) const {
    Span span;
    for (const Touch& t : parts_[which][static_cast<size_t>(row)]) {
      if (t.write || node(which).inputs[t.index] != id) continue;
      span.first = std::min(span.first, t.begin / row_bytes(p_, id));
      span.last = std::max(span.last, (t.end - 1) / row_bytes(p_, id));
    }
    return span;
  }

  void pull(size_t which, int64_t row) {
    for (size_t from = 0; from < which; ++from) {
      const ValueId id = output(from);
      if (std::ranges::find(node(which).inputs, id) == node(which).inputs.end()) continue;
      const Span span = reads(which, row, id);
      while (made_[from] <= span.last) pull(from, made_[from]);
    }
    unit_.turns.push_back(static_cast<uint8_t>(which));
    ++made_[which];
    if (which + 1 < made_.size()) hold(which);
  }

  // The ring of a node's result holds every row from the first that some reader's next row needs.
  void hold(size_t which) {
    const ValueId id = output(which);
    int64_t first = made_[which] - 1;
    for (size_t reader = which + 1; reader < made_.size(); ++reader)
      if (made_[reader] < rows_of(p_, output(reader))) first = std::min(first, reads(reader, made_[reader], id).first);
    int64_t& rows = unit_.ring_rows[id];
    rows = std::max(rows, made_[which] - first);
  }

  const Program& p_;
  Unit& unit_;
  const Parts& parts_;
  std::vector<int64_t> made_;  // rows, by each node
};

bool is_image(const Program& p, ValueId id) {
  const ir::Shape& shape = p.type(id).shape;
  return shape.size() == 4 && shape[0] == 1 && p.type(id).elems() > 0;
}

// Whether only nodes [first, end) read `id`, and some do.
bool stays_inside(const Program& p, ValueId id, size_t first, size_t end) {
  if (p.is_output(id)) return false;
  const std::vector<const Node*> users = p.users(id);
  return !users.empty() && p.nodes.index_of(*users.front()) >= first && p.nodes.index_of(*users.back()) < end;
}

}  // namespace

bool works_by_rows(const Program& p, const target::Target& target, const Node& node) {
  if (node.op->rows == nullptr || node.outputs.size() != 1) return false;
  const bool images = std::ranges::all_of(
      node.inputs, [&](ValueId id) { return id == ValueId::none || p[id].is_constant() || is_image(p, id); });
  return images && is_image(p, node.outputs[0]) && node.op->rows(p, node, target).has_value();
}

int64_t ring_bytes(const Program& p, ValueId id, int64_t rows) { return rows * row_bytes(p, id); }

std::vector<Unit> single_units(const Program& p, const target::Target& target) {
  std::vector<Unit> units;
  for (size_t i = 0; i < p.nodes.size(); ++i) {
    units.push_back({i, i + 1, scratch_of(p, target, i), {}, {}, {}});
    if (p.nodes[i].op->access.trails()) find_trails(p, units.back(), parts_of(p, target, units.back()));
  }
  return units;
}

std::optional<Unit> stream(const Program& p, const target::Target& target, size_t first, size_t end) {
  if (end - first < 2 || end - first > kMaxStream) return std::nullopt;
  for (size_t i = first; i < end; ++i) {
    if (!works_by_rows(p, target, p.nodes[i])) return std::nullopt;
    if (i + 1 < end && !stays_inside(p, p.nodes[i].outputs[0], first, end)) return std::nullopt;
  }
  Unit unit{first, end, 0, {}, {}, {}};
  for (size_t i = first; i < end; ++i) unit.scratch_bytes = std::max(unit.scratch_bytes, scratch_of(p, target, i));
  const Parts parts = parts_of(p, target, unit);
  Puller(p, unit, parts).run();
  const auto is_empty = [](const auto& ring) { return ring.second == 0; };
  if (std::ranges::any_of(unit.ring_rows, is_empty)) return std::nullopt;  // windows that see padding alone
  find_trails(p, unit, parts);
  return unit;
}

}  // namespace fold8::plan
