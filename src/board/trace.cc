#include "board/trace.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace fold8::board {
namespace {

Diag lost(const char* what) { return error("F8-0611", std::string("the trace of a run cannot be followed: ") + what); }

uint64_t hexadecimal(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

uint64_t step(uint32_t from, uint32_t to) { return uint64_t{from} << 32 | to; }

// What a block adds to the cycles of the one before it.
int64_t cycles_after(const CoreTiming& core, std::span<const Step> before, std::span<const Step> block) {
  Pipeline pipeline(core);
  pipeline.run(before);
  const int64_t cycles_before = pipeline.cycles();
  if (!before.empty()) {
    const Instruction& last = before.back().instruction;
    if (last.address + static_cast<uint32_t>(last.bytes) != block.front().instruction.address) pipeline.take_branch();
  }
  pipeline.run(block);
  return pipeline.cycles() - cycles_before;
}

}  // namespace

// "op" lists the instructions of each block that is translated, "exec" each block that runs, and "nochain" keeps blocks
// from running on without QEMU noticing.
std::vector<std::string> BlockTrace::qemu_arguments() { return {"-d", "op,exec,nochain", "-D", "/dev/stdout"}; }

void BlockTrace::read(std::string_view part) {
  for (;;) {
    const size_t end = part.find('\n');
    if (end == std::string_view::npos) break;
    if (rest_.empty()) {
      read_line(part.substr(0, end));
    } else {
      rest_ += part.substr(0, end);
      read_line(rest_);
      rest_.clear();
    }
    part.remove_prefix(end + 1);
  }
  rest_ += part;
}

void BlockTrace::read_line(std::string_view line) {
  if (line.starts_with("Trace ")) {
    executed(line);
  } else if (line.starts_with(" ---- ")) {  // one instruction
    ++translated_;
  } else if (line.starts_with("OP:")) {
    translated_ = 0;
  } else if (line.starts_with("Stopped execution") && marked_ && last_ != kMark) {
    --follows_[step(before_, last_)];  // it had not begun, and will be logged again
    last_ = before_;
  }
}

// "Trace 0: 0x7f0d7c000340 [0080044a/60001d6c/00000050/ff000200] board_reset": host code, then guest address.
void BlockTrace::executed(std::string_view line) {
  const size_t host = line.find("0x"), bracket = line.find('['), slash = line.find('/');
  if (host == std::string_view::npos || slash == std::string_view::npos) return;
  const auto [known, is_new] = numbers_.try_emplace(hexadecimal(line.substr(host + 2, bracket - host - 3)));
  uint32_t& number = known->second;
  unknown_ = unknown_ || (is_new && translated_ == 0);
  if (translated_ != 0) {
    const size_t end = line.find('/', slash + 1);
    const auto address = static_cast<uint32_t>(hexadecimal(line.substr(slash + 1, end - slash - 1)));
    number = kMark;
    if (!line.ends_with("] fold8_mark")) {
      number = static_cast<uint32_t>(blocks_.size());
      blocks_.push_back({address, translated_});
    }
    translated_ = 0;
  }
  enter(number);
}

void BlockTrace::enter(uint32_t block) {
  if (block != kMark && marked_) ++follows_[step(last_, block)];
  if (block == kMark && last_ != kMark) {
    if (marked_) stretches_.push_back(std::move(follows_));
    follows_.clear();
    marked_ = true;
  }
  before_ = last_;
  last_ = block;
}

Result<std::vector<Stretch>> BlockTrace::stretches(const std::vector<Instruction>& image,
                                                   const CoreTiming& core) const {
  if (unknown_) return lost("a block ran that QEMU had not translated");
  std::vector<Step> steps;
  for (const Instruction& instruction : image) steps.push_back({instruction, &core.row_for(instruction)});
  std::vector<std::span<const Step>> code(1);
  for (const Block& block : std::span(blocks_).subspan(1)) {
    const auto first =
        std::ranges::lower_bound(steps, block.address, {}, [](const Step& s) { return s.instruction.address; });
    const bool found = static_cast<size_t>(steps.end() - first) >= block.instructions;
    code.push_back(found ? std::span<const Step>(first, block.instructions) : std::span<const Step>());
  }
  std::vector<Stretch> result;
  std::unordered_map<uint64_t, int64_t> cycles;  // of a block after another
  for (const Follows& follows : stretches_) {
    Stretch& sum = result.emplace_back();
    for (const auto& [key, count] : follows) {
      const std::span<const Step> before = code[key >> 32], after = code[key & UINT32_MAX];
      if (after.empty() || after[0].instruction.address != blocks_[key & UINT32_MAX].address)
        return lost("objdump shows no instruction where QEMU ran one");
      const auto [known, is_new] = cycles.try_emplace(key);
      if (is_new) known->second = cycles_after(core, before, after);
      sum.instructions += count * static_cast<int64_t>(after.size());
      sum.cycles += count * known->second;
    }
  }
  return result;
}

}  // namespace fold8::board
