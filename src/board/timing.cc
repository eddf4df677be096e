#include "board/timing.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <charconv>
#include <map>
#include <sstream>

#include "base/embedded.h"

namespace fold8 {
std::span<const EmbeddedFile> embedded_core_timings();
}

namespace fold8::board {
namespace {

// --- the tables -----------------------------------------------------------------------------------------------------

int64_t parse_number(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  require(std::from_chars(text.data(), end, number).ptr == end, "a timing table has numbers where they belong");
  return number;
}

Cycles parse_cycles(std::string_view text) {
  Cycles cycles;
  if (!text.starts_with('n')) return {.plus = parse_number(text)};
  text.remove_prefix(1);
  cycles.halves = 2;
  if (text.starts_with("/2")) {
    cycles.halves = 1;
    text.remove_prefix(2);
  }
  if (text.starts_with('+')) cycles.plus = parse_number(text.substr(1));
  return cycles;
}

using Units = std::map<std::string, size_t, std::less<>>;

// Right of the colon: the latency, then unit=cycles, ~unit=cycles, alone=cycles, refill=cycles, first, free.
void parse_costs(std::istringstream& words, const Units& units, TimingRow& row) {
  std::string word;
  words >> word;
  row.latency = parse_cycles(word);
  while (words >> word) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (name == "first") {
      row.first = true;
    } else if (name == "free") {
      row.free = true;
    } else if (name == "alone") {
      row.alone = parse_cycles(std::string_view(word).substr(equals + 1));
    } else if (name == "refill") {
      row.refill = parse_number(std::string_view(word).substr(equals + 1));
    } else {
      const bool awaited = !name.starts_with("~");
      const auto unit = units.find(awaited ? name : name.substr(1));
      require(unit != units.end(), "a timing table names its units");
      row.uses.push_back({unit->second, parse_cycles(std::string_view(word).substr(equals + 1)), awaited});
    }
  }
}

CoreTiming parse_table(std::string_view text) {
  CoreTiming core;
  Units units;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word)) continue;
    const std::map<std::string, int64_t*> numbers = {
        {"width", &core.width}, {"refill", &core.refill}, {"address", &core.address}, {"accumulate", &core.accumulate}};
    if (const auto number = numbers.find(word); number != numbers.end()) {
      words >> *number->second;
    } else if (word == "cores") {
      while (words >> word) core.cores.push_back(word);
    } else if (word == "machine") {
      words >> core.machine;
    } else if (word == "unit") {
      core.units.push_back(1);
      words >> word;
      words >> core.units.back();
      units[word] = core.units.size() - 1;
    } else {
      TimingRow row;
      for (; word != ":"; words >> word) {
        require(!words.fail(), "a row of a timing table has a colon");
        row.patterns.push_back(word);
      }
      parse_costs(words, units, row);
      core.rows.push_back(std::move(row));
    }
  }
  return core;
}

// --- matching -------------------------------------------------------------------------------------------------------

std::string_view in_brackets(const std::string& operands) {
  const size_t open = operands.find('[');
  if (open == std::string::npos) return "";
  return std::string_view(operands).substr(open, operands.find(']', open) - open);
}

bool has_form(const Instruction& i, std::string_view form) {
  const std::string_view address = in_brackets(i.operands);
  const bool is_vector = address.find('q') != std::string_view::npos;
  if (form == "narrow") return i.bytes == 2;
  if (form == "immediate") return i.operands.find('#') != std::string::npos;
  if (form == "pc") return i.operands.find("pc}") != std::string::npos;
  if (form == "gather") return is_vector;  // "[r0, q1]"; stores: scatter
  if (form == "offset")                    // "[r0, r1]"
    return !is_vector && address.find(',') != std::string_view::npos && address.find('#') == std::string_view::npos;
  if (form == "shift")  // "r0, r1, r2, lsl #2"
    return address.empty() &&
           (i.operands.find(", lsl") != std::string::npos || i.operands.find(", lsr") != std::string::npos ||
            i.operands.find(", asr") != std::string::npos || i.operands.find(", ror") != std::string::npos);
  throw CompilerBug(fmt::format("no instruction has the form {}", form));
}

bool matches(const Instruction& i, const std::string& pattern) {
  std::istringstream parts(pattern);
  std::string part;
  std::getline(parts, part, '+');
  if (fnmatch(part.c_str(), i.mnemonic.c_str(), 0) != 0) return false;
  while (std::getline(parts, part, '+'))
    if (!has_form(i, part)) return false;
  return true;
}

}  // namespace

const TimingRow& CoreTiming::row_for(const Instruction& i) const {
  for (const TimingRow& row : rows)
    for (const std::string& pattern : row.patterns)
      if (matches(i, pattern)) return row;
  throw CompilerBug(fmt::format("the timing table of {} ends with a row for every instruction", cores.at(0)));
}

const CoreTiming& timing_of(const std::string& cpu) {
  static const std::vector<CoreTiming> tables = [] {
    std::vector<CoreTiming> all;
    for (const EmbeddedFile& file : embedded_core_timings()) all.push_back(parse_table(file.contents));
    return all;
  }();
  for (const CoreTiming& table : tables)
    if (std::ranges::find(table.cores, cpu) != table.cores.end()) return table;
  throw CompilerBug(fmt::format("src/board/timing has no table for {}", cpu));
}

// --- the pipeline ---------------------------------------------------------------------------------------------------

Pipeline::Pipeline(const CoreTiming& core) : core_(core) {
  for (const int64_t count : core.units) busy_.emplace_back(count);
}

void Pipeline::run(std::span<const Step> code) {
  for (const Step& step : code) {
    if (!step.row->free) start(step);
    refill_ = step.row->refill < 0 ? core_.refill : step.row->refill;
  }
}

void Pipeline::take_branch() { blocked_until_ = cycles() + refill_; }

int64_t Pipeline::earliest(const Step& step) const {
  const Instruction& i = step.instruction;
  const bool joins = started_ < core_.width && !(step.row->first && started_ > 0) && step.row->alone.of(1) == 0;
  int64_t time = std::max(blocked_until_, joins || started_ == 0 ? cycle_ : cycle_ + 1);
  auto await = [&](const std::vector<int>& registers, int64_t early) {
    for (const int r : registers) time = std::max(time, ready_[static_cast<size_t>(r)] + early);
  };
  await(i.reads, 0);
  await(i.addresses, core_.address);
  await(i.accumulators, -core_.accumulate);
  for (const UnitUse& use : step.row->uses)
    if (use.awaited) time = std::max(time, std::ranges::min(busy_[use.unit]));
  return time;
}

void Pipeline::start(const Step& step) {
  const int64_t time = earliest(step);
  const int listed = step.instruction.listed;
  if (time > cycle_) started_ = 0;
  cycle_ = time;
  ++started_;
  for (const UnitUse& use : step.row->uses) *std::ranges::min_element(busy_[use.unit]) = time + use.cycles.of(listed);
  if (const int64_t alone = step.row->alone.of(listed); alone > 0) blocked_until_ = time + alone;
  for (const int r : step.instruction.writes) ready_[static_cast<size_t>(r)] = time + step.row->latency.of(listed);
}

}  // namespace fold8::board
