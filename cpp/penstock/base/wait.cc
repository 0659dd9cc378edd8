#include "penstock/base/wait.h"

#include <algorithm>
#include <string>
#include <utility>

#include "penstock/base/error.h"

namespace penstock::base {
namespace {

thread_local WaitHook* current_hook = nullptr;

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

void throw_if_over(const Call& call, const char* doing) {
  if (call.stop.stop_requested()) {
    throw Error{Kind::cancelled, std::string{doing} + ": stopped on request", {.doing = doing}};
  }
  if (call.deadline.passed()) {
    throw Error{Kind::lost,
                std::string{doing} + ": the deadline has passed",
                {.doing = doing, .code = std::string{code::kDeadline}}};
  }
}

// Runs the hook with `lock` let go; it is held again afterwards, also when the hook throws.
void run_hook_unlocked(std::unique_lock<std::mutex>& lock) {
  struct Relock {
    std::unique_lock<std::mutex>& lock;
    ~Relock() { lock.lock(); }
  };
  lock.unlock();
  const Relock relock{lock};
  WaitHook::run();
}

// Sleeps until notified, stopped or `until`. A far `until` is none at all: no timer is set.
void sleep_until(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock,
                 const std::stop_token& stop, SteadyTime until, const std::function<bool()>& ready) {
  if (until == SteadyTime::max()) {
    changed.wait(lock, stop, ready);
  } else {
    changed.wait_until(lock, stop, until, ready);
  }
}

// True when ready, false at `end`. Throws as wait() does.
bool wait_until(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock, const Call& call,
                const char* doing, SteadyTime end, const std::function<bool()>& ready) {
  const SteadyTime deadline = call.deadline.at().value_or(SteadyTime::max());
  while (!ready()) {
    throw_if_over(call, doing);
    if (end != SteadyTime::max() && now() >= end) return false;
    if (WaitHook::due() != SteadyTime::max() && now() >= WaitHook::due()) {
      run_hook_unlocked(lock);
      continue;
    }
    sleep_until(changed, lock, call.stop, std::min({deadline, end, WaitHook::due()}), ready);
  }
  return true;
}

}  // namespace

WaitHook::WaitHook(std::function<void()> hook)
    : hook_(std::move(hook)), due_(now() + kEvery), former_(std::exchange(current_hook, this)) {}

WaitHook::~WaitHook() {
  current_hook = former_;
}

SteadyTime WaitHook::due() {
  return current_hook ? current_hook->due_ : SteadyTime::max();
}

void WaitHook::run() {
  WaitHook* const hook = current_hook;
  if (!hook) return;
  hook->due_ = now() + kEvery;
  if (hook->hook_) hook->hook_();
}

void wait(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock, const Call& call,
          const char* doing, const std::function<bool()>& ready) {
  wait_until(changed, lock, call, doing, SteadyTime::max(), ready);
}

bool wait_for(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock,
              std::chrono::nanoseconds span, const std::function<bool()>& ready) {
  return changed.wait_for(lock, span, ready);
}

void check(const Call& call, const char* doing) {
  throw_if_over(call, doing);
  if (WaitHook::due() != SteadyTime::max() && now() >= WaitHook::due()) WaitHook::run();
}

void sleep(std::chrono::nanoseconds span, const Call& call, const char* doing) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock{mutex};
  const auto end = now() + std::chrono::duration_cast<SteadyTime::duration>(span);
  wait_until(never, lock, call, doing, end, [] { return false; });
}

}  // namespace penstock::base
