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
#include <sstream>

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

// Starts `program` with its output going to `output_fd`. Returns errno, or 0 and the process in `pid`.
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
  const int failed = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

// Reads `fd` to its end; false when the deadline came first.
bool drain(int fd, Clock::time_point deadline, const Reader& reader) {
  char bytes[64 * 1024];  // a pipe's capacity
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 60'000))) <= 0) continue;
    const ssize_t count = read(fd, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    reader({bytes, static_cast<size_t>(count)});
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<Finished> run_process(const std::vector<std::string>& arguments, const fs::path& working_folder,
                             int64_t time_limit_seconds, const Reader& reader) {
  const fs::path program = find_program(arguments.at(0));
  if (program.empty()) return missing(arguments[0]);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return cannot_start(arguments[0], errno);
  pid_t pid = 0;
  const int failed = spawn(program, arguments, working_folder, ends[1], pid);
  close(ends[1]);
  Finished finished;
  const Reader keep = [&](std::string_view part) {
    if (finished.output.size() < kKeptBytes) finished.output += part;
  };
  if (failed == 0) {
    const auto deadline = Clock::now() + std::chrono::seconds(time_limit_seconds);
    finished.timed_out = !drain(ends[0], deadline, reader ? reader : keep);
    if (finished.timed_out) kill(pid, SIGKILL);
    finished.exit_code = wait_for(pid);
  }
  close(ends[0]);
  if (failed != 0) return cannot_start(arguments[0], failed);
  return finished;
}

Result<> check_programs(const std::vector<std::string>& programs) {
  Diags absent;
  for (const std::string& program : programs)
    if (find_program(program).empty()) absent.push_back(missing(program));
  if (!absent.empty()) return absent;
  return ok;
}

}  // namespace fold8::board
