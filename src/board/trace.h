// What ran, from QEMU's log of translated blocks: how often each followed each, cut where the image called
// fold8_mark().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "board/board.h"
#include "board/timing.h"

namespace fold8::board {

class BlockTrace {
 public:
  // QEMU's arguments that make it write the log to its output.
  static std::vector<std::string> qemu_arguments();

  // The log, part by part, as it is written.
  void read(std::string_view part);

  // What each stretch between two marks ran, and took on a core.
  Result<std::vector<Stretch>> stretches(const std::vector<Instruction>& image, const CoreTiming& core) const;

 private:
  // Straight-line code, as QEMU translated it.
  struct Block {
    uint32_t address = 0;
    uint32_t instructions = 0;
  };
  // Numbers of two blocks, as from * 2^32 + to, and how often `to` ran right after `from`.
  using Follows = std::unordered_map<uint64_t, int64_t>;
  static constexpr uint32_t kMark = 0;  // the number of fold8_mark, which is one block

  void read_line(std::string_view line);
  void executed(std::string_view line);
  void enter(uint32_t block);

  std::string rest_;         // of a line whose end has not come yet
  uint32_t translated_ = 0;  // instructions of the block that was just translated; 0: it has run since
  std::unordered_map<uint64_t, uint32_t> numbers_;  // of blocks, by the address of their host code
  std::vector<Block> blocks_{Block{}};
  uint32_t before_ = kMark, last_ = kMark;  // the last two blocks
  bool marked_ = false;                     // a mark was seen
  bool unknown_ = false;                    // a block ran whose translation was not seen
  Follows follows_;                         // since the last mark
  std::vector<Follows> stretches_;
};

}  // namespace fold8::board
