// The one way to wait. Ends on readiness, on the deadline, on a stop, or on the thread's hook throwing.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "penstock/base/call.h"

namespace penstock::base {

// Called every 50 ms while this thread waits, with no lock of the core held; may throw to end the wait.
// The Python binding sets it around a native call, so that Ctrl-C is seen. Restores the former hook when it
// dies.
class WaitHook {
 public:
  explicit WaitHook(std::function<void()> hook);
  ~WaitHook();
  WaitHook(const WaitHook&) = delete;
  WaitHook& operator=(const WaitHook&) = delete;

 private:
  std::function<void()> hook_;
  std::function<void()>* former_;
};

// Waits on `changed` until `ready()` (called with `lock` held). `doing` names the wait in the error.
// Throws Error(cancelled) on call.stop, Error(lost, code deadline) past call.deadline, and what the hook
// throws.
void wait(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock, const Call& call,
          const char* doing, const std::function<bool()>& ready);

// Throws as wait() does if the call is already stopped or late; otherwise returns at once.
void check(const Call& call, const char* doing);

// Waits the whole span, unless the call ends first.
void sleep(std::chrono::nanoseconds span, const Call& call, const char* doing);

}  // namespace penstock::base
