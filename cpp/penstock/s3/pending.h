// One outcome on its way from the I/O thread to a waiting caller.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "penstock/base/wait.h"

namespace penstock::s3 {

// Threads: set() on one, wait() on another; copies are the same outcome.
template <typename T>
class Pending {
 public:
  void set(T value) const {
    const std::lock_guard lock{state_->mutex};
    state_->value = std::move(value);
    state_->changed.notify_all();
  }

  // Throws what base::wait throws; the outcome then stays, and may be waited for again.
  T wait(const Call& call, const char* doing) const {
    std::unique_lock lock{state_->mutex};
    base::wait(state_->changed, lock, call, doing, [&] { return state_->value.has_value(); });
    return std::move(*state_->value);
  }

  // Waits to the end whatever this thread's hook throws: for outcomes that are already on their way, where
  // leaving would leave borrowed memory in use.
  T wait_out() const {
    for (;;) {
      try {
        return wait(Call{}, "wait for the end");
      } catch (...) {
      }
    }
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace penstock::s3
