// verify_placement(): runs the program over an arena whose bytes remember whose data they hold. Uses nothing of
// place(): lives, shared bytes and safe distances are not computed here, a byte clobbered too early is found when it is
// read.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "plan/buffers.h"
#include "plan/plan.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Program;
using ir::ValueId;

// Bytes [begin, end) that hold `source`'s bytes from source_begin on. Copies made by overlays keep the source.
struct Run {
  int64_t begin = 0;
  int64_t end = 0;
  ValueId source = ValueId::none;  // none: scratch
  int64_t source_begin = 0;
  std::string_view writer;  // value or node, for messages

  bool same_data(const Run& other) const {
    return source == other.source && source != ValueId::none &&
           source_begin - begin == other.source_begin - other.begin;
  }
  bool meets(int64_t from, int64_t to) const { return begin < to && from < end; }
  Run moved(int64_t by) const { return {begin + by, end + by, source, source_begin, writer}; }
  Run clipped(int64_t from, int64_t to) const {
    const int64_t b = std::max(begin, from);
    return {b, std::min(end, to), source, source_begin + b - begin, writer};
  }
};

using Runs = std::vector<Run>;  // disjoint, ascending

Runs clipped(const Runs& runs, int64_t from, int64_t to) {
  Runs out;
  for (const Run& r : runs)
    if (r.meets(from, to)) out.push_back(r.clipped(from, to));
  return out;
}

class Memory {
 public:
  void write(const Run& run) {
    if (run.begin >= run.end) return;
    Runs keep;
    auto at = runs_.lower_bound(run.begin);
    if (at != runs_.begin()) --at;
    while (at != runs_.end() && at->second.begin < run.end) {
      const Run old = at->second;
      if (!old.meets(run.begin, run.end)) {
        ++at;
        continue;
      }
      at = runs_.erase(at);
      if (old.begin < run.begin) keep.push_back(old.clipped(old.begin, run.begin));
      if (old.end > run.end) keep.push_back(old.clipped(run.end, old.end));
    }
    for (const Run& k : keep) runs_[k.begin] = k;
    runs_[run.begin] = run;
  }

  // Who wrote over bytes that held `want`; nullopt if nobody did.
  std::optional<std::string_view> lost(const Run& want) const {
    auto at = runs_.upper_bound(want.begin);
    if (at != runs_.begin()) --at;
    for (; at != runs_.end() && at->second.begin < want.end; ++at)
      if (at->second.meets(want.begin, want.end) && !at->second.same_data(want)) return at->second.writer;
    return std::nullopt;
  }

 private:
  std::map<int64_t, Run> runs_;  // by begin
};

class Replay {
 public:
  Replay(const Program& program, const Plan& plan, const target::Target& target)
      : program_(program), plan_(plan), target_(target), ends_(buffered_ends(program)), data_(program.values.size()) {}

  Diags run() {
    check_plan();
    check_addresses();
    if (!diags_.empty()) return diags_;
    write_inputs();
    for (size_t i = 0; i < plan_.units.size(); ++i) run_unit(i);
    for (ValueId id : program_.outputs)
      if (!program_[id].is_constant()) expect(id, nullptr);
    for (ValueId id : program_.inputs)
      if (program_[id].buffer == ir::Buffer::caller) expect(id, nullptr);
    return diags_;
  }

 private:
  void complain(const Node* node, std::string message) {
    diags_.push_back(node != nullptr ? program_.error_at(*node, "F8-0502", std::move(message))
                                     : error("F8-0502", std::move(message)).in(program_.file));
  }
  const std::string& name(ValueId id) const { return program_[id].name; }
  int64_t begin(ValueId id) const { return *program_[id].offset; }
  int64_t end(ValueId id) const { return begin(id) + static_cast<int64_t>(program_.type(id).bytes()); }
  Runs& data(ValueId id) { return data_[id]; }

  int64_t scratch_needed(const Node& node) const {
    return node.op->scratch_bytes == nullptr ? 0 : node.op->scratch_bytes(program_, node, target_);
  }

  void check_plan() {
    if (program_.form != ir::Form::placed) complain(nullptr, "the program is not in placed form");
    if (plan_.scratch_offsets.size() != plan_.units.size())
      complain(nullptr, fmt::format("the plan tells of the scratch of {} units, it has {}",
                                    plan_.scratch_offsets.size(), plan_.units.size()));
    size_t next = 0;
    for (const Unit& unit : plan_.units) {
      if (unit.first != next || unit.end <= unit.first)
        return complain(nullptr, "the plan's units are not the program's nodes in order");
      next = unit.end;
    }
    if (next != program_.nodes.size())
      complain(nullptr, fmt::format("the plan runs {} nodes, the program has {}", next, program_.nodes.size()));
    if (plan_.align < kValueAlign || plan_.align % kValueAlign != 0 || plan_.align % target_.align != 0)
      complain(nullptr,
               fmt::format("the arena's base is aligned to {}, {} needs {}", plan_.align, target_.cpu, target_.align));
    if (plan_.arena_bytes > kMaxArenaBytes || plan_.arena_bytes < plan_.lower_bound_bytes)
      complain(nullptr,
               fmt::format("an arena of {} bytes for at least {}", plan_.arena_bytes, plan_.lower_bound_bytes));
  }

  void check_range(const Node* node, const std::string& what, int64_t offset, int64_t bytes, int64_t align) {
    const size_t buffer = buffer_of(ends_, offset);
    const int64_t from = offset - buffer_begin(buffer);
    const int64_t room = buffer > ends_.size() ? 0 : memory_bytes(buffer);
    if (from < 0 || bytes > room || from > room - bytes)
      complain(node, fmt::format("{} of {} bytes at {} is outside {} of {}", what, bytes, from,
                                 buffer == 0 ? "the arena" : fmt::format("buffer {}", buffer), room));
    if (offset % align != 0) complain(node, fmt::format("{} at {} is not aligned to {}", what, offset, align));
  }

  int64_t memory_bytes(size_t buffer) const {
    return buffer == 0 ? plan_.arena_bytes : static_cast<int64_t>(program_.type(ends_[buffer - 1]).bytes());
  }

  void check_value(const Node* node, ValueId id) {
    if (!program_[id].offset) return complain(node, fmt::format("%{} has no place in the arena", name(id)));
    check_range(node, "%" + name(id), begin(id), end(id) - begin(id), kValueAlign);
  }

  void check_addresses() {
    if (!diags_.empty()) return;
    for (ValueId id : program_.inputs) check_value(nullptr, id);
    for (const auto* ids : {&program_.inputs, &program_.outputs})
      for (ValueId id : *ids)
        if (program_[id].buffer == ir::Buffer::arena && !program_[id].is_constant() && program_[id].offset &&
            buffer_of(ends_, begin(id)) != 0)
          complain(nullptr, fmt::format("%{} lies in a buffer of another's", name(id)));
    for (size_t k = 0; k < ends_.size(); ++k)
      if (program_[ends_[k]].offset != buffer_begin(k + 1))
        complain(nullptr, fmt::format("%{} is not where buffer {} begins", name(ends_[k]), k + 1));
    for (size_t u = 0; u < plan_.units.size(); ++u) check_unit(plan_.units[u], plan_.scratch_offsets[u]);
  }

  void check_unit(const Unit& unit, int64_t scratch_offset) {
    int64_t scratch_bytes = 0;
    for (size_t i = unit.first; i < unit.end; ++i) {
      const Node& node = program_.nodes[i];
      scratch_bytes = std::max(scratch_bytes, scratch_needed(node));
      for (ValueId id : node.outputs) {
        const auto ring = unit.ring_rows.find(id);
        if (ring == unit.ring_rows.end()) {
          check_value(&node, id);
        } else if (!program_[id].offset) {
          complain(&node, fmt::format("the ring of %{} has no place in the arena", name(id)));
        } else {
          check_range(&node, "the ring of %" + name(id), begin(id), ring_end(unit, id) - begin(id), kValueAlign);
        }
      }
    }
    const Node& node = program_.nodes[unit.first];
    if (unit.scratch_bytes != scratch_bytes)
      complain(&node, fmt::format("{} bytes of scratch are planned, {} needed", unit.scratch_bytes, scratch_bytes));
    if (scratch_bytes > 0)
      check_range(&node, "scratch", scratch_offset, scratch_bytes, std::max<int64_t>(target_.align, 1));
  }

  void write_inputs() {
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const ValueId id = program_.inputs[i];
      for (size_t j = 0; j < i; ++j)
        if (program_.inputs[j] != id) expect_apart(nullptr, id, program_.inputs[j]);
      data(id) = {{0, end(id) - begin(id), id, 0, name(id)}};
      store(id);
    }
  }

  void store(ValueId id) {
    for (const Run& r : data(id)) memory_.write(r.moved(begin(id)));
  }

  void expect(ValueId id, const Node* reader) {
    for (const Run& r : data(id))
      if (const auto by = memory_.lost(r.moved(begin(id))))
        return complain(reader,
                        fmt::format("%{} at {} was overwritten by {} before it is read", name(id), begin(id), *by));
  }

  bool overlap(ValueId a, ValueId b) const { return begin(a) < end(b) && begin(b) < end(a); }

  void expect_apart(const Node* node, ValueId a, ValueId b) {
    if (overlap(a, b) && !same_data(a, b))
      complain(node, fmt::format("%{} at {} and %{} at {} overlap", name(a), begin(a), name(b), begin(b)));
  }

  // Whether two values that overlap hold the same in every common byte.
  bool same_data(ValueId a, ValueId b) {
    for (const Run& r : data(a))
      for (const Run& s : data(b)) {
        const Run x = r.moved(begin(a));
        const Run y = s.moved(begin(b));
        if (x.meets(y.begin, y.end) && !x.same_data(y)) return false;
      }
    return true;
  }

  // What a result holds: its operand's data where the op says so, its own elsewhere.
  Runs result_data(const Node& node, size_t result) {
    const ValueId id = node.outputs[result];
    const int64_t bytes = end(id) - begin(id);
    Runs runs{{0, bytes, id, 0, name(id)}};
    const auto overlays = node.op->access.overlays == nullptr ? std::vector<ir::Overlay>{} : node.op->access.overlays(program_, node);
    for (const ir::Overlay& o : overlays) {
      const ValueId operand = node.inputs[o.operand];
      if (o.result != result || operand == ValueId::none || program_[operand].is_constant()) continue;
      for (const Run& r : data(operand)) put(runs, r.moved(-o.delta_bytes), bytes, name(id));
    }
    return runs;
  }

  static void put(Runs& runs, const Run& run, int64_t bytes, std::string_view writer) {
    if (!run.meets(0, bytes)) return;
    Run r = run.clipped(0, bytes);
    r.writer = writer;
    Runs out = clipped(runs, 0, r.begin);
    out.push_back(r);
    const Runs after = clipped(runs, r.end, bytes);
    out.insert(out.end(), after.begin(), after.end());
    runs = std::move(out);
  }

  bool may_replace(const Node& node, ValueId operand, ValueId result) const {
    const ir::Type& from = program_.type(operand);
    const ir::Type& to = program_.type(result);
    return node.op->access.elementwise && begin(operand) == begin(result) && from.elems() == to.elems() &&
           ir::elem_bytes(from.elem) == ir::elem_bytes(to.elem);
  }

  void run_unit(size_t u) {
    const Unit& unit = plan_.units[u];
    const Node& last = program_.nodes[unit.end - 1];
    std::vector<ValueId> operands;
    for (size_t i = unit.first; i < unit.end; ++i)
      for (ValueId id : program_.nodes[i].inputs)
        if (id != ValueId::none && !program_[id].is_constant() && !unit.ring_rows.contains(id)) operands.push_back(id);
    for (ValueId id : operands) expect(id, &last);
    for (size_t r = 0; r < last.outputs.size(); ++r) data(last.outputs[r]) = result_data(last, r);
    bool in_order = unit.is_stream();
    for (size_t r = 0; r < last.outputs.size(); ++r) {
      for (size_t s = 0; s < r; ++s) expect_apart(&last, last.outputs[r], last.outputs[s]);
      for (ValueId operand : operands) {
        if (unit.is_stream() || may_replace(last, operand, last.outputs[r])) continue;
        if (last.op->access.trails() && overlap(operand, last.outputs[r])) {
          in_order = true;
        } else {
          expect_apart(&last, last.outputs[r], operand);
        }
      }
    }
    use_room(u, operands);
    if (in_order) run_in_order(unit, plan_.scratch_offsets[u], operands);
    for (ValueId id : last.outputs) store(id);
  }

  int64_t row_bytes(ValueId id) const { return (end(id) - begin(id)) / program_.type(id).shape[1]; }
  int64_t ring_end(const Unit& unit, ValueId id) const { return begin(id) + unit.ring_rows.at(id) * row_bytes(id); }

  // Scratch and rings lie apart from each other, from operands and from results.
  void use_room(size_t u, const std::vector<ValueId>& operands) {
    const Unit& unit = plan_.units[u];
    const Node& last = program_.nodes[unit.end - 1];
    std::vector<Run> rooms;
    if (unit.scratch_bytes > 0)
      rooms.push_back(
          {plan_.scratch_offsets[u], plan_.scratch_offsets[u] + unit.scratch_bytes, ValueId::none, 0, last.name});
    for (const auto& [id, rows] : unit.ring_rows)
      rooms.push_back({begin(id), ring_end(unit, id), ValueId::none, 0, name(id)});
    for (size_t i = 0; i < rooms.size(); ++i) {
      for (size_t j = 0; j < i; ++j)
        if (rooms[i].meets(rooms[j].begin, rooms[j].end))
          complain(&last, fmt::format("scratch at {} overlaps scratch at {}", rooms[i].begin, rooms[j].begin));
      for (const std::vector<ValueId>& ids : {operands, std::vector<ValueId>(last.outputs)})
        for (ValueId id : ids)
          if (rooms[i].meets(begin(id), end(id)))
            complain(&last, fmt::format("scratch at {} overlaps %{} at {}", rooms[i].begin, name(id), begin(id)));
      memory_.write(rooms[i]);
    }
  }

  // A byte of the arena and whose data it holds.
  struct Tag {
    ValueId source = ValueId::none;
    int64_t byte = 0;
    bool operator==(const Tag&) const = default;
  };

  // Reads and writes of a unit in the order that its ops declare, over bytes that remember whose data they hold.
  void run_in_order(const Unit& unit, int64_t scratch_offset, const std::vector<ValueId>& operands) {
    size_t bytes = 0;
    tags_begin_.clear();
    for (size_t buffer = 0; buffer <= ends_.size(); ++buffer) {
      tags_begin_.push_back(bytes);
      bytes += static_cast<size_t>(memory_bytes(buffer));
    }
    tags_.assign(bytes, Tag{});
    for (ValueId id : operands)
      for (const Run& r : data(id))
        for (int64_t i = r.begin; i < r.end; ++i) tag(begin(id) + i) = {r.source, r.source_begin + i - r.begin};
    if (!unit.is_stream()) {
      turn(unit, scratch_offset, program_.nodes[unit.first], std::nullopt);
    } else {
      std::vector<int64_t> next(unit.end - unit.first, 0);
      for (uint8_t which : unit.turns) {
        if (which >= next.size() || next[which] >= rows(unit, which))
          return complain(&program_.nodes[unit.first], "a turn makes a row that there is not");
        turn(unit, scratch_offset, program_.nodes[unit.first + which], next[which]++);
      }
    }
    for (ValueId id : program_.nodes[unit.end - 1].outputs)
      for (int64_t i = 0; i < end(id) - begin(id); ++i)
        if (tag(begin(id) + i) != Tag{id, i})
          return complain(&program_.nodes[unit.end - 1], fmt::format("byte {} of %{} is not written", i, name(id)));
  }

  Tag& tag(int64_t address) {
    const size_t buffer = buffer_of(ends_, address);
    return tags_[tags_begin_[buffer] + static_cast<size_t>(address - buffer_begin(buffer))];
  }
  int64_t rows(const Unit& unit, size_t which) const {
    return program_.type(program_.nodes[unit.first + which].outputs[0]).shape[1];
  }

  int64_t address(const Unit& unit, ValueId id, int64_t byte) const {
    const auto ring = unit.ring_rows.find(id);
    if (ring == unit.ring_rows.end()) return begin(id) + byte;
    const int64_t row = byte / row_bytes(id);
    return begin(id) + row % ring->second * row_bytes(id) + byte % row_bytes(id);
  }

  // What byte `byte` of an operand is; data made in this unit is its own.
  Tag wanted(const Unit& unit, ValueId id, int64_t byte) {
    if (!unit.ring_rows.contains(id))
      for (const Run& r : data(id))
        if (r.begin <= byte && byte < r.end) return {r.source, r.source_begin + byte - r.begin};
    return {id, byte};
  }

  void turn(const Unit& unit, int64_t scratch_offset, const Node& node, std::optional<int64_t> row) {
    const int64_t scratch_bytes = scratch_needed(node);
    for (int64_t i = 0; i < scratch_bytes; ++i) tag(scratch_offset + i) = Tag{};
    const std::vector<ir::Touch> touches = ir::touches_of(program_, node, target_, row);
    for (size_t from = 0, to = 0; from < touches.size(); from = to) {
      while (to < touches.size() && touches[to].step == touches[from].step) ++to;
      for (size_t i = from; i < to; ++i)
        if (!touches[i].write && !read_touch(unit, node, touches[i])) return;
      for (size_t i = from; i < to; ++i)
        if (touches[i].write)
          for (int64_t b = touches[i].begin; b < touches[i].end; ++b) {
            const ValueId id = node.outputs[touches[i].index];
            tag(address(unit, id, b)) = {id, b};
          }
    }
  }

  bool read_touch(const Unit& unit, const Node& node, const ir::Touch& touch) {
    const ValueId id = node.inputs[touch.index];
    if (program_[id].is_constant()) return true;
    for (int64_t b = touch.begin; b < touch.end; ++b) {
      const Tag found = tag(address(unit, id, b));
      if (found == wanted(unit, id, b)) continue;
      complain(&node, fmt::format("byte {} of %{} was overwritten by {} before it is read", b, name(id),
                                  found.source == ValueId::none ? "scratch" : "%" + name(found.source)));
      return false;
    }
    return true;
  }

  const Program& program_;
  const Plan& plan_;
  const target::Target& target_;
  std::vector<ValueId> ends_;  // in buffers of the caller's
  IndexedVector<ValueId, Runs> data_;  // of each value, from its own start
  Memory memory_;
  std::vector<Tag> tags_;  // of each byte of the arena and then of each buffer, while a unit runs in order
  std::vector<size_t> tags_begin_;
  Diags diags_;
};

}  // namespace

Result<> verify_placement(const Program& program, const Plan& plan, const target::Target& target) {
  Diags diags = Replay(program, plan, target).run();
  if (!diags.empty()) return diags;
  return ok;
}

}  // namespace fold8::plan
