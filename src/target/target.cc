#include "target/target.h"

#include <fmt/format.h>

#include <sstream>

#include "base/embedded.h"

namespace fold8 {
std::span<const EmbeddedFile> embedded_target_list();
}

namespace fold8::target {
namespace {

std::vector<Target> parse_rows(std::string_view text) {
  std::vector<Target> rows;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream columns(line);
    Target row;
    columns >> row.cpu >> row.isa >> row.align >> row.machine >> row.core;
    require(!columns.fail(), "each row of targets.list has its columns");
    for (std::string flag; columns >> flag;) row.flags.push_back(flag);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::span<const Target> all_targets() {
  static const std::vector<Target> rows = parse_rows(embedded_target_list()[0].contents);
  return rows;
}

Result<Target> find_target(std::string_view cpu) {
  std::vector<std::string> names;
  for (const Target& row : all_targets()) {
    if (row.cpu == cpu) return row;
    names.push_back(row.cpu);
  }
  return error("F8-0003", fmt::format("there is no target '{}'", cpu))
      .note(fmt::format("targets: {}", fmt::join(names, ", ")));
}

}  // namespace fold8::target
