// A mutex whose waiting can be stopped, for who must do I/O while he holds it.
//
// Threads: one Turn of the same Turns at a time; not twice on one thread.
#pragma once

#include <condition_variable>
#include <mutex>

#include "penstock/base/call.h"
#include "penstock/base/wait.h"

namespace penstock::base {

class Turns {
 private:
  friend class Turn;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool taken_ = false;
};

class Turn {
 public:
  // Waits as base::wait() does, and throws what that throws.
  Turn(Turns& of, const Call& call, const char* doing) : of_(of) {
    std::unique_lock lock{of_.mutex_};
    wait(of_.changed_, lock, call, doing, [this] { return !of_.taken_; });
    of_.taken_ = true;
  }
  ~Turn() {
    const std::lock_guard lock{of_.mutex_};
    of_.taken_ = false;
    of_.changed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& of_;
};

}  // namespace penstock::base
