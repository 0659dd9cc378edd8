// The one way to wait. Ends on readiness, on the deadline, on a stop, or on the thread's hook throwing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "penstock/base/call.h"

namespace penstock::base {

// Called every 50 ms while this thread waits, with no lock of the core held; may throw to end the wait.
// check() calls it too when 50 ms have gone by, so that work which never has to wait is interruptible.
// The Python binding sets it around a native call, so that Ctrl-C is seen. Restores the former hook when it
// dies.
class WaitHook {
 public:
  static constexpr std::chrono::milliseconds kEvery{50};
  explicit WaitHook(std::function<void()> hook);
  ~WaitHook();
  WaitHook(const WaitHook&) = delete;
  WaitHook& operator=(const WaitHook&) = delete;

  // When this thread's hook is due next; SteadyTime::max() without one.
  static SteadyTime due();
  // Runs this thread's hook. Hold no lock.
  static void run();

 private:
  std::function<void()> hook_;
  SteadyTime due_;
  WaitHook* former_;
};

// Waits on `changed` until `ready()` (called with `lock` held). `doing` names the wait in the error.
// What is ready is returned even when the call is over. Throws Error(cancelled) on call.stop, Error(lost,
// code deadline) past call.deadline, and what the hook throws; `lock` is held again when it throws.
void wait(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock, const Call& call,
          const char* doing, const std::function<bool()>& ready);

// The same for the core's own threads, which belong to no call: false once `span` is over. Runs no hook.
bool wait_for(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock,
              std::chrono::nanoseconds span, const std::function<bool()>& ready);

// Throws as wait() does if the call is already stopped or late; otherwise returns at once. Hold no lock: the
// hook may run.
void check(const Call& call, const char* doing);

// Waits the whole span, unless the call ends first.
void sleep(std::chrono::nanoseconds span, const Call& call, const char* doing);

}  // namespace penstock::base
