#include <fmt/format.h>

#include <algorithm>

#include "plan/buffers.h"
#include "plan/plan.h"
#include "plan/sharing.h"

namespace fold8::plan {
namespace {

using ir::Program;
using ir::ValueId;

constexpr int64_t kColumns = 48;  // of the arena's picture
constexpr size_t kNameColumns = 28;

// One line of the map. Later marks cover earlier ones.
class Row {
 public:
  explicit Row(int64_t arena_bytes) : arena_bytes_(arena_bytes) {}

  void mark(int64_t begin, int64_t bytes, char sign) {
    if (bytes <= 0 || begin >= arena_bytes_) return;  // elsewhere: in a buffer of the caller's
    runs_.emplace_back(begin, begin + bytes);
    const int64_t from = begin * kColumns / arena_bytes_;
    const int64_t to = std::max(from + 1, ((begin + bytes) * kColumns + arena_bytes_ - 1) / arena_bytes_);
    for (int64_t c = from; c < std::min(to, kColumns); ++c) cells_[static_cast<size_t>(c)] = sign;
  }

  int64_t bytes() {
    std::ranges::sort(runs_);
    int64_t total = 0;
    int64_t covered = 0;
    for (const auto& [begin, end] : runs_) {
      total += std::max<int64_t>(0, end - std::max(begin, covered));
      covered = std::max(covered, end);
    }
    return total;
  }

  const std::string& picture() const { return cells_; }

 private:
  int64_t arena_bytes_;
  std::vector<std::pair<int64_t, int64_t>> runs_;
  std::string cells_ = std::string(kColumns, '.');
};

Row row_of(const Program& program, const Plan& plan, const IndexedVector<ValueId, Life>& lives, size_t index) {
  Row row(plan.arena_bytes);
  const Unit& unit = plan.units[index];
  const int step = static_cast<int>(index);
  for (const bool written : {false, true})
    for (ValueId id : lives.keys()) {
      if (!lives[id].meets({step, step}) || (lives[id].first == step) != written) continue;
      row.mark(*program[id].offset, static_cast<int64_t>(program.type(id).bytes()), written ? '+' : '#');
    }
  if (plan.scratch_offsets[index] >= 0) row.mark(plan.scratch_offsets[index], unit.scratch_bytes, '~');
  for (const auto& [id, rows] : unit.ring_rows) row.mark(*program[id].offset, ring_bytes(program, id, rows), '~');
  return row;
}

std::string short_name(const Program& program, const Unit& unit) {
  std::string name = fmt::format("{} {}", program.nodes[unit.first].op->name, program.nodes[unit.first].name);
  for (size_t i = unit.first + 1; i < unit.end; ++i) name += " + " + program.nodes[i].name;
  return name.size() <= kNameColumns ? name : name.substr(0, kNameColumns - 2) + "..";
}

}  // namespace

std::string memory_map(const Program& program, const Plan& plan) {
  std::string out = fmt::format("arena {} bytes, lower bound {}, base aligned to {}\n", plan.arena_bytes,
                                plan.lower_bound_bytes, plan.align);
  out += "# kept or read   + written   ~ scratch, rings   . free   < peak   a + b: by rows in turns\n";
  for (ValueId id : buffered_ends(program))
    out += fmt::format("%{}: {} bytes in a buffer of the caller's{}\n", program[id].name, program.type(id).bytes(),
                       may_write(program, id) ? ", also used for other data" : ", left as it is");
  const IndexedVector<ValueId, Life> lives = lifetimes(program, plan.units);
  for (size_t i = 0; i < plan.units.size() && plan.arena_bytes > 0; ++i) {
    Row row = row_of(program, plan, lives, i);
    out += fmt::format("{:4} {:28} {:10} |{}|{}\n", i, short_name(program, plan.units[i]), row.bytes(), row.picture(),
                       i == plan.peak_unit ? " <" : "");
  }
  return out;
}

}  // namespace fold8::plan
