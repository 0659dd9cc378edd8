// Some of many jobs at once, on threads of its own; the last, often the only one, on the caller's. Internal
// to the room.
//
// Threads: one caller; jobs run side by side. A job that is still held when this dies is not run.
// Failure: the first exception of a job ends it: run() and finish() throw that.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>

#include "penstock/base/call.h"
#include "penstock/base/workers.h"

namespace penstock::bundles {

class Window {
 public:
  explicit Window(std::size_t most) : most_(most), workers_({.max_threads = most}) {}

  // Waits, as base::wait() does, while `most` are running.
  void run(std::function<void()> job, const Call& call);
  void finish();  // returns once all have ended, each by its own Call

 private:
  void start(std::function<void()> job, const Call& call);
  void carry_out(const std::function<void()>& job) noexcept;

  std::size_t most_, running_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::exception_ptr failure_;
  std::function<void()> held_;  // until there is another
  Workers workers_;             // last: dying waits for the running jobs
};

}  // namespace penstock::bundles
