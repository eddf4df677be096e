#include "board/machine.h"

#include <fmt/format.h>

#include <ios>
#include <sstream>
#include <vector>

#include "base/embedded.h"

namespace fold8 {
std::span<const EmbeddedFile> embedded_board_sources();
}

namespace fold8::board {
namespace {

std::vector<Machine> parse_rows(std::string_view text) {
  std::vector<Machine> rows;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream columns(line);
    Machine row;
    columns >> row.name >> row.core >> std::hex >> row.part >> std::dec >> row.tick_ps;
    columns >> row.vectors >> row.rom >> row.rom_bytes >> row.ram >> row.ram_bytes;
    require(!columns.fail(), "each row of machines.list has its columns");
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::string_view board_source(std::string_view name) {
  for (const EmbeddedFile& file : embedded_board_sources())
    if (file.name == name) return file.contents;
  throw CompilerBug(fmt::format("device/board has no {}", name));
}

const Machine& machine_for(const target::Target& target) {
  static const std::vector<Machine> rows = parse_rows(board_source("machines.list"));
  for (const Machine& row : rows)
    if (row.name == target.machine && row.core == target.core) return row;
  throw CompilerBug(fmt::format("machines.list has no {} with a {}", target.machine, target.core));
}

std::string linker_script(const Machine& machine) {
  return fmt::format(
      "MEMORY\n{{\n"
      "  VECTORS (rx) : ORIGIN = {}, LENGTH = 1K\n"
      "  ROM (rx) : ORIGIN = {}, LENGTH = {}\n"
      "  RAM (rw) : ORIGIN = {}, LENGTH = {}\n}}\n{}",
      machine.vectors, machine.rom, machine.rom_bytes, machine.ram, machine.ram_bytes, board_source("board.ld"));
}

}  // namespace fold8::board
