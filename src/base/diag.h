// What fold8 says to its user: one sentence, where it is, and what to do about it.
// Door: Diag (one message), Diags (several), format(). The library never prints; driver/ does.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace fold8 {

// Where a node came from. Empty strings mean "not known"; a fused node keeps one Place per original.
struct Place {
  std::string source_file;  // Python file, as the archive's stack_trace gives it
  int source_line = 0;      // 1-based; 0 = unknown
  std::string source_text;  // that line of Python, trimmed
  std::string function;     // Python function the line is in
  std::string module_path;  // "DsCnn > stem (Conv2d)"
  std::string node;         // fx node name
};

enum class Severity { error, warning, note };

// `code` is stable ("F8-0107") and listed in docs/diagnostics.md.
// `message` is lower case, without a full stop: what was found and what is allowed.
struct Diag {
  Severity severity = Severity::error;
  std::string code;
  std::string message;
  std::string file;  // the model or input file, if one is to blame
  Place place;
  std::vector<std::string> notes;

  Diag& note(std::string text) {
    notes.push_back(std::move(text));
    return *this;
  }
  Diag& in(std::string path) {
    file = std::move(path);
    return *this;
  }
  Diag& at(Place p) {
    place = std::move(p);
    return *this;
  }
};

using Diags = std::vector<Diag>;

Diag error(std::string code, std::string message);
Diag warning(std::string code, std::string message);

// The text a terminal shows, ending in a newline. Layout: docs/architecture.md, Diagnostics.
std::string format(const Diag& diag);
// Grouped: equal messages become one with a count and the first places, messages that share code and notes stand
// together, and notes are said once.
std::string format(const Diags& diags);

// A broken invariant of fold8 itself, never the user's fault. Caught only in driver/.
struct CompilerBug : std::logic_error {
  using std::logic_error::logic_error;
};

// Throws CompilerBug unless `holds`.
void require(bool holds, const char* invariant);

}  // namespace fold8
