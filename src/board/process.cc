#include "board/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>

#include "base/interrupt.h"

namespace fold8::board {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kKeptBytes = 64 * 1024;

Diag missing(const std::string& program) {
  return error("F8-0601", fmt::format("{} is not installed", program))
      .note(
          "on Debian or Ubuntu: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi "
          "libstdc++-arm-none-eabi-newlib qemu-system-arm");
}

Diag cannot_start(const std::string& program, int error_number) {
  return error("F8-0601", fmt::format("{} cannot be started: {}", program, strerror(error_number)));
}

// Where PATH has `program`; empty when it has not.
fs::path find_program(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / program;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return fs::absolute(candidate);
  }
  return {};
}

// Starts `program` in a process group of its own, its output going to `output_fd`. Returns errno, or 0 and the process
// in `pid`.
int spawn(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& folder, int output_fd,
          pid_t& pid) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
  sigset_t none;  // this process may block signals: interrupt.h
  sigemptyset(&none);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &none);
  const int failed = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

void kill_group(pid_t pid) { kill(-pid, SIGKILL); }

// What the pipe holds now. False at its end.
bool read_some(int fd, const Reader& reader) {
  char bytes[64 * 1024];  // a pipe's capacity
  const ssize_t count = read(fd, bytes, sizeof bytes);
  if (count > 0) reader({bytes, static_cast<size_t>(count)});
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

// Reads what the process prints until it ends, however long others keep its pipe, or until the deadline. Returns its
// status, or nothing when the deadline came first.
std::optional<int> follow(pid_t pid, int fd, Clock::time_point deadline, const Reader& reader) {
  constexpr int kGlanceMs = 50;  // between looks at a process that holds or closes its pipe as it should not
  bool open = true;
  for (int pause_ms = 1;;) {
    int status = 0;
    const bool ended = waitpid(pid, &status, WNOHANG) == pid;
    open = open && read_some(fd, reader);
    if (ended) return status;
    if (Clock::now() >= deadline) return std::nullopt;
    pollfd waiting{.fd = open ? fd : -1, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, open ? kGlanceMs : pause_ms);
    if (!open) pause_ms = std::min(2 * pause_ms, kGlanceMs);
  }
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// A process that was started, and is killed with all that it started when a signal ends this one.
struct Started {
  int failed = 0;  // errno
  pid_t pid = 0;
  std::unique_ptr<OnInterrupt> on_interrupt;
};

Started start(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& folder,
              int output_fd) {
  const Uninterrupted together;
  Started started;
  started.failed = spawn(program, arguments, folder, output_fd, started.pid);
  if (started.failed == 0)
    started.on_interrupt = std::make_unique<OnInterrupt>([pid = started.pid] { kill_group(pid); });
  return started;
}

}  // namespace

Result<Finished> run_process(const std::vector<std::string>& arguments, const fs::path& working_folder,
                             int64_t time_limit_seconds, const Reader& reader) {
  const fs::path program = find_program(arguments.at(0));
  if (program.empty()) return missing(arguments[0]);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return cannot_start(arguments[0], errno);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const Started started = start(program, arguments, working_folder, ends[1]);
  close(ends[1]);
  Finished finished;
  const Reader keep = [&](std::string_view part) {
    if (finished.output.size() < kKeptBytes) finished.output += part;
  };
  if (started.failed == 0) {
    const auto deadline = Clock::now() + std::chrono::seconds(time_limit_seconds);
    const std::optional<int> status = follow(started.pid, ends[0], deadline, reader ? reader : keep);
    finished.timed_out = !status;
    if (status) finished.exit_code = exit_code_of(*status);
    if (finished.timed_out) {
      kill_group(started.pid);
      waitpid(started.pid, nullptr, 0);
    }
  }
  close(ends[0]);
  if (started.failed != 0) return cannot_start(arguments[0], started.failed);
  return finished;
}

Diag idle(const std::string& program, const std::string& what) {
  return error("F8-0612", fmt::format("{} ended with exit code 0 and did not {}", program, what))
      .note("is it a wrapper, or a stand-in? PATH decides which one is run");
}

Result<> check_programs(const std::vector<std::string>& programs) {
  Diags absent;
  for (const std::string& program : programs)
    if (find_program(program).empty()) absent.push_back(missing(program));
  if (!absent.empty()) return absent;
  return ok;
}

}  // namespace fold8::board
