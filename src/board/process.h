// Starts a program with an argument vector (no shell), waits, and keeps what it prints. It is killed, with all that it
// started, when a signal ends this process (base/interrupt.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fold8::board {

struct Finished {
  int exit_code = 0;  // 128 + number when a signal ended it, as shells have it
  bool timed_out = false;
  std::string output;  // stdout and stderr, the first 64 KB
};

// One error, with what to install, for each program that PATH has not.
Result<> check_programs(const std::vector<std::string>& programs);

// Takes all that a process prints, part by part, instead of Finished::output.
using Reader = std::function<void(std::string_view part)>;

// A tool that says it succeeded, and did not do `what`.
Diag idle(const std::string& program, const std::string& what);

// `arguments[0]` is looked up in PATH. Ends when the process does, whoever else holds its output, or at the time limit:
// it is killed then, with all that it started.
Result<Finished> run_process(const std::vector<std::string>& arguments, const std::filesystem::path& working_folder,
                             int64_t time_limit_seconds, const Reader& reader = {});

}  // namespace fold8::board
