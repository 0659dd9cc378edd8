// What one Python call carries through the core: how to stop it, its deadline, its progress callback, and the
// Python exception that must come out of it although the core only knows that it was stopped.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "penstock/base/call.h"

namespace penstock::python {

// Threads: stop(), fail() and call() from any; finish() on the thread that works.
class CallState {
 public:
  CallState() = default;
  explicit CallState(Deadline deadline) : deadline_(deadline) {}

  void set_progress(std::unique_ptr<Progress> progress) { progress_ = std::move(progress); }
  void stop() { stop_.request_stop(); }
  bool stopped() const { return stop_.stop_requested(); }

  // Stops the call; `pending`, not the core's Error(cancelled), is what the caller will see.
  void fail(std::exception_ptr pending) {
    {
      std::lock_guard lock{mutex_};
      if (!pending_) pending_ = std::move(pending);
    }
    stop();
  }

  Call call() const { return {stop_.get_token(), deadline_, progress_.get()}; }

  template <class Work>
  auto finish(Work&& work) {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work, const Call&>>) {
        work(call());
        rethrow_pending();
      } else {
        auto value = work(call());
        rethrow_pending();
        return value;
      }
    } catch (...) {
      rethrow_pending();
      throw;
    }
  }

 private:
  void rethrow_pending() {
    std::exception_ptr pending;
    {
      std::lock_guard lock{mutex_};
      pending = std::exchange(pending_, nullptr);
    }
    if (pending) std::rethrow_exception(pending);
  }

  std::stop_source stop_;
  Deadline deadline_;
  std::unique_ptr<Progress> progress_;
  std::mutex mutex_;
  std::exception_ptr pending_;
};

using CallPointer = std::shared_ptr<CallState>;

// Whether Python would run signal handlers on this thread.
bool on_main_thread();
void remember_main_thread();

// Runs Python's signal handlers; one that raises fails the call. Takes the GIL.
void check_signals(CallState& state);

}  // namespace penstock::python
