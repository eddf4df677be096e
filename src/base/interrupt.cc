// One thread waits for the signals, which all threads block: what it runs may take locks and memory, as a handler may
// not.
#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <ranges>
#include <thread>

namespace fold8 {
namespace {

struct Registry {
  std::recursive_mutex mutex;
  std::map<int64_t, std::function<void()>> undos;  // by age
  int64_t next = 0;
};

// Never destroyed: the waiting thread lives until the process ends.
Registry& registry() {
  static Registry* const all = new Registry;
  return *all;
}

bool is_ignored(int number) {
  struct sigaction action = {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

[[noreturn]] void die_of(int number) {
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(number);
  _exit(128 + number);
}

void wait_for(const sigset_t& signals) {
  int number = 0;
  while (sigwait(&signals, &number) != 0) {
  }
  registry().mutex.lock();  // for ever: nothing new is made
  for (const auto& undo : registry().undos | std::views::values | std::views::reverse) undo();
  die_of(number);
}

}  // namespace

void end_cleanly_on_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    if (!is_ignored(number)) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(wait_for, signals).detach();
}

OnInterrupt::OnInterrupt(std::function<void()> undo) {
  const std::scoped_lock lock(registry().mutex);
  id_ = registry().next++;
  registry().undos.emplace(id_, std::move(undo));
}

OnInterrupt::~OnInterrupt() {
  const std::scoped_lock lock(registry().mutex);
  registry().undos.erase(id_);
}

Uninterrupted::Uninterrupted() : lock_(registry().mutex) {}

}  // namespace fold8
