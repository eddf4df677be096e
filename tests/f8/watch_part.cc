#include "watch_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace fold8::f8 {
namespace {

using namespace ir;

constexpr int64_t kNever = INT64_MAX;

// A byte of an operand or result: by the clock of the run, and by the steps that the op says.
struct Byte {
  int64_t first_write = kNever, last_read = -1;
  int64_t said_write = kNever, said_read = -1;
};

class PartCheck {
 public:
  PartCheck(const Program& p, const plan::Plan& plan, const target::Target& target, const Part& part, int64_t late)
      : p_(p), plan_(plan), target_(target), part_(part), late_(late), node_(p.nodes[plan.units[part.unit].first]) {
    for (ValueId id : node_.inputs)
      if (id != ValueId::none && !p[id].is_constant()) operands_.try_emplace(id, p.type(id).bytes());
    for (ValueId id : node_.outputs) results_.try_emplace(id, p.type(id).bytes());
  }

  std::optional<std::string> run(const std::vector<Recorded>& accesses) {
    for (const Recorded& access : accesses)
      if (!take(access)) return fmt::format("{}: {}", where(), problem_);
    if (node_.op->access.elementwise) {
      check_elements();
    } else if (node_.op->access.trails()) {
      check_touches();
    }
    if (problem_.empty()) return std::nullopt;
    return fmt::format("{}: {}", where(), problem_);
  }

 private:
  using Bytes = std::vector<Byte>;

  std::string where() const {
    return fmt::format("{} ({}){}", node_.name, node_.op->name, part_.row ? fmt::format(", row {}", *part_.row) : "");
  }

  // The byte of one of `values` at an offset in the arena.
  Byte* find(std::map<ValueId, Bytes>& values, int64_t offset) const {
    for (auto& [id, bytes] : values)
      if (const int64_t at = offset - *p_[id].offset; at >= 0 && at < static_cast<int64_t>(bytes.size()))
        return &bytes[static_cast<size_t>(at)];
    return nullptr;
  }

  bool is_scratch(int64_t offset) const {
    const int64_t begin = plan_.scratch_offsets[part_.unit];
    return offset >= begin && offset < begin + plan_.units[part_.unit].scratch_bytes;
  }

  bool take(const Recorded& a) {
    if (is_scratch(a.offset)) return true;
    if (Byte* byte = find(results_, a.offset)) {
      if (a.first_write != 0) byte->first_write = a.first_write;
      return true;  // what it reads of its own result is its own
    }
    Byte* byte = find(operands_, a.offset);
    if (byte != nullptr) byte->last_read = a.last_read;
    if (byte == nullptr || a.first_write != 0)
      problem_ = fmt::format("{} byte {} of the arena, which is {}", a.first_write != 0 ? "writes" : "reads", a.offset,
                             byte == nullptr ? "none of its own" : "an operand's");
    return problem_.empty();
  }

  const std::string& name(ValueId id) const { return p_[id].name; }

  // An elementwise result may overwrite an operand, element by element.
  void check_elements() {
    for (const auto& [operand, from] : operands_)
      for (const auto& [result, to] : results_)
        for (size_t i = 0; from.size() == to.size() && i < from.size(); ++i)
          if (to[i].first_write < from[i].last_read)
            problem_ =
                fmt::format("byte {} of %{} is read after that of %{} is written", i, name(operand), name(result));
  }

  void check_touches() {
    for (const Touch& t : touches_of(p_, node_, target_, part_.row)) {
      const ValueId id = t.write ? node_.outputs[t.index] : node_.inputs[t.index];
      if (p_[id].is_constant()) continue;
      for (int64_t b = t.begin; b < t.end; ++b) {
        Byte& byte = (t.write ? results_ : operands_).at(id).at(static_cast<size_t>(b));
        if (t.write) byte.said_write = std::min(byte.said_write, t.step + late_);
        if (!t.write) byte.said_read = std::max(byte.said_read, t.step);
      }
    }
    check_said();
    for (const auto& [operand, from] : operands_)
      for (const auto& [result, to] : results_) check_order(operand, from, result, to);
  }

  void check_said() {
    for (const auto& [id, bytes] : operands_)
      for (size_t b = 0; b < bytes.size(); ++b)
        if (bytes[b].last_read > 0 && bytes[b].said_read < 0)
          problem_ = fmt::format("reads byte {} of %{}, and the op does not say so", b, name(id));
    for (const auto& [id, bytes] : results_)
      for (size_t b = 0; b < bytes.size(); ++b)
        if ((bytes[b].first_write == kNever) != (bytes[b].said_write == kNever))
          problem_ = fmt::format("{} byte {} of %{}, and the op {} so",
                                 bytes[b].first_write == kNever ? "does not write" : "writes", b, name(id),
                                 bytes[b].first_write == kNever ? "says" : "does not say");
  }

  // Of a result's byte written before an operand's is read for the last time, the op must say the same; then no two
  // addresses that the planner can give them lose a byte. In one step all reads come before the writes.
  void check_order(ValueId operand, const Bytes& from, ValueId result, const Bytes& to) {
    std::vector<size_t> written;
    for (size_t w = 0; w < to.size(); ++w)
      if (to[w].first_write != kNever) written.push_back(w);
    std::ranges::sort(written, {}, [&](size_t w) { return to[w].first_write; });
    std::vector<size_t> latest;  // of the bytes written so far, the one said to be written last
    for (size_t w : written)
      latest.push_back(latest.empty() || to[w].said_write > to[latest.back()].said_write ? w : latest.back());
    for (size_t b = 0; b < from.size(); ++b) {
      const auto before =
          std::ranges::lower_bound(written, from[b].last_read, {}, [&](size_t w) { return to[w].first_write; });
      if (before == written.begin()) continue;
      const size_t w = latest[static_cast<size_t>(before - written.begin()) - 1];
      if (to[w].said_write < from[b].said_read) continue;
      problem_ = fmt::format("byte {} of %{} is read after byte {} of %{} is written; the op says step {} and step {}",
                             b, name(operand), w, name(result), from[b].said_read, to[w].said_write);
      return;
    }
  }

  const Program& p_;
  const plan::Plan& plan_;
  const target::Target& target_;
  const Part& part_;
  int64_t late_;
  const Node& node_;
  std::map<ValueId, Bytes> operands_, results_;
  std::string problem_;
};

}  // namespace

std::optional<std::string> wrong_part(const Program& program, const plan::Plan& plan, const target::Target& target,
                                      const Part& part, const std::vector<Recorded>& accesses, int64_t late) {
  if (!part.empty) return PartCheck(program, plan, target, part, late).run(accesses);
  if (accesses.empty()) return std::nullopt;
  return "something happens before the first row";
}

}  // namespace fold8::f8
