// What must not outlive a process that a signal ends: temporary files, and processes that it started.
// Doors: end_cleanly_on_signals(), which the tool calls once; OnInterrupt and Uninterrupted, for whoever makes such
// things.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

namespace fold8 {

// From now on SIGINT, SIGTERM and SIGHUP run what every living OnInterrupt holds, the newest first, and then end the
// process as they would have. Signals that the process was started to ignore stay ignored. Call before any thread
// starts.
void end_cleanly_on_signals();

// `undo` runs when a signal ends the process while this lives, in another thread.
class OnInterrupt {
 public:
  explicit OnInterrupt(std::function<void()> undo);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  int64_t id_;
};

// No signal ends the process while this lives: for a step that must be done whole, or for making a thing and its
// OnInterrupt together.
class Uninterrupted {
 public:
  Uninterrupted();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

}  // namespace fold8
