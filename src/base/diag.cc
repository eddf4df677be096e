#include "base/diag.h"

#include <fmt/format.h>

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
std::string whereabouts(const Diag& diag) {
  const Place& p = diag.place;
  std::vector<std::string> parts;
  if (!p.source_file.empty() && !diag.file.empty()) parts.push_back(diag.file);
  if (!p.module_path.empty()) parts.push_back(p.module_path);
  if (!p.node.empty()) parts.push_back("fx node " + p.node);
  return parts.empty() ? "" : fmt::format("  in {}\n", fmt::join(parts, ", "));
}

}  // namespace

std::string format(const Diag& diag) {
  std::string out = fmt::format("{}{}[{}]: {}\n", lead(diag), word(diag.severity), diag.code, diag.message);
  if (!diag.place.source_text.empty()) out += fmt::format("    {}\n", diag.place.source_text);
  out += whereabouts(diag);
  for (const std::string& note : diag.notes) out += fmt::format("  note: {}\n", note);
  return out;
}

std::string format(const Diags& diags) {
  std::string out;
  for (const Diag& diag : diags) out += format(diag);
  return out;
}

void require(bool holds, const char* invariant) {
  if (!holds) throw CompilerBug(invariant);
}

}  // namespace fold8
