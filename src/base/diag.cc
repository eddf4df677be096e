#include "base/diag.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace fold8 {

Diag error(std::string code, std::string message) {
  Diag diag;
  diag.code = std::move(code);
  diag.message = std::move(message);
  return diag;
}

Diag warning(std::string code, std::string message) {
  Diag diag = error(std::move(code), std::move(message));
  diag.severity = Severity::warning;
  return diag;
}

namespace {

const char* word(Severity severity) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: return "note";
  }
  return "error";
}

// "net.py:41: ", else "model.pt2: ", else nothing.
std::string lead(const Diag& diag) {
  const Place& p = diag.place;
  if (!p.source_file.empty()) return fmt::format("{}:{}: ", p.source_file, p.source_line);
  if (!diag.file.empty()) return diag.file + ": ";
  return "";
}

// "  in model.pt2, DsCnn.forward > stem (Conv2d), fx node conv2d_2\n", as far as known.
std::string whereabouts(const Place& p, const std::string& first) {
  std::vector<std::string> parts;
  if (!first.empty()) parts.push_back(first);
  if (!p.module_path.empty()) parts.push_back(p.module_path);
  if (!p.node.empty()) parts.push_back("fx node " + p.node);
  return parts.empty() ? "" : fmt::format("  in {}\n", fmt::join(parts, ", "));
}

std::string notes_of(const Diag& diag) {
  std::string out;
  for (const std::string& note : diag.notes) out += fmt::format("  note: {}\n", note);
  return out;
}

std::string without_notes(const Diag& diag) {
  std::string out = fmt::format("{}{}[{}]: {}\n", lead(diag), word(diag.severity), diag.code, diag.message);
  if (!diag.place.source_text.empty()) out += fmt::format("    {}\n", diag.place.source_text);
  return out + whereabouts(diag.place, diag.place.source_file.empty() ? "" : diag.file);
}

// One message about several places: how many, and the first of them.
using Places = std::vector<const Diag*>;
std::string without_notes(const Places& same, size_t most_places) {
  const Diag& diag = *same.front();
  if (same.size() == 1) return without_notes(diag);
  std::string out = fmt::format("{}{}{}[{}]: {} ({} places)\n", diag.file, diag.file.empty() ? "" : ": ",
                                word(diag.severity), diag.code, diag.message, same.size());
  size_t shown = 0;
  for (; shown < std::min(same.size(), most_places); ++shown) {
    const Place& p = same[shown]->place;
    out += whereabouts(p, p.source_file.empty() ? "" : fmt::format("{}:{}", p.source_file, p.source_line));
  }
  if (shown < same.size()) out += fmt::format("  and {} more\n", same.size() - shown);
  return out;
}

bool same_remedy(const Diag& a, const Diag& b) {
  return a.severity == b.severity && a.code == b.code && a.notes == b.notes;
}

// Messages that share code and notes; equal ones together.
struct Group {
  std::vector<Places> messages;
  std::map<std::pair<std::string_view, std::string_view>, size_t> index;  // by message and file

  void add(const Diag& diag) {
    const auto [found, is_new] = index.try_emplace({diag.message, diag.file}, messages.size());
    if (is_new) messages.emplace_back();
    messages[found->second].push_back(&diag);
  }
};

}  // namespace

std::string format(const Diag& diag) { return without_notes(diag) + notes_of(diag); }

std::string format(const Diags& diags) {
  std::vector<Group> groups;
  for (const Diag& diag : diags) {
    auto group =
        std::ranges::find_if(groups, [&](const Group& g) { return same_remedy(*g.messages.front().front(), diag); });
    if (group == groups.end()) group = groups.insert(group, Group{});
    group->add(diag);
  }
  constexpr size_t kFewMessages = 3;
  std::string out;
  for (const Group& group : groups) {
    const size_t most_places = group.messages.size() <= kFewMessages ? 4 : 1;
    for (const Places& same : group.messages) out += without_notes(same, most_places);
    out += notes_of(*group.messages.front().front());
  }
  return out;
}

void require(bool holds, const char* invariant) {
  if (!holds) throw CompilerBug(invariant);
}

}  // namespace fold8
