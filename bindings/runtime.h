// The process's own threads of the Python edge: workers that run async jobs, and the notifier that tells
// Python.
//
// Life:    made on first use; a forked child starts with a fresh one and leaves the parent's alone.
//          shutdown() (atexit) stops every running job and waits for them up to kExit, and for the blocking
//          calls of other threads up to kLeave; closes every client, then stops the notifier, before Python
//          finalises. A thread that asks for the GIL after that would end the process: Python has it unwind
//          out of a destructor.
// Threads: run() and tell() from any thread; what is told runs on the notifier thread with the GIL held.
// Memory:  one queue entry a completion; log lines beyond kMaxLines waiting are dropped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/log.h"
#include "penstock/base/workers.h"

#include "call_state.h"

namespace penstock::files {
class FetchMany;
}

namespace penstock::python {

class Runtime {
 public:
  static constexpr std::chrono::seconds kExit{10};
  static constexpr std::chrono::seconds kLeave{
      2};  // a stop is heard within 200 ms; user code may never return
  static constexpr std::size_t kMaxLines = 10'000;

  // A completion to be delivered, or a line to be logged; settled in batches with the GIL held.
  class Notice {
   public:
    virtual ~Notice() = default;
    virtual void tell() = 0;  // GIL held; must not throw
  };

  // Who waits for a call: a future of a loop, which is told of the outcome; or a thread that is not the main
  // one, in the call.
  enum class Waiter { future, thread };

  // A call under way, for as long as this lives. A thread's is made before the GIL is let go of, so that it
  // ends when the thread has it again. Throws std::runtime_error after shutdown.
  class UnderWay {
   public:
    UnderWay(CallPointer state, Waiter waiter);
    ~UnderWay();
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

   private:
    Runtime& runtime_;
    std::multiset<CallPointer>& calls_;
    CallPointer state_;
  };

  static Runtime& instance();
  static void after_fork_in_child();
  static void shutdown();

  // Runs `job` on a worker, for a future; `state` is stopped if the process ends first. Throws
  // std::runtime_error after shutdown.
  void run(const CallPointer& state, std::function<void()> job);
  // Its transfers may call Python, so they end before that does.
  void end_at_exit(std::weak_ptr<files::FetchMany> batch);
  void tell(std::unique_ptr<Notice> notice);
  void log(LogLevel level, std::string_view room, std::string_view line);
  LogSink log_sink();

 private:
  void check_open() const;  // under the mutex
  void notify();
  void start_notifier();
  void stop_jobs();
  bool stop_calls(const std::multiset<CallPointer>& calls, std::chrono::seconds patience);
  void end_batches();
  void stop_notifier();

  std::mutex mutex_;
  std::condition_variable changed_;  // for the notifier
  std::condition_variable ended_;    // for shutdown(): woken for each call it would wake the notifier, too
  std::deque<std::unique_ptr<Notice>> queue_;
  std::size_t lines_ = 0;
  bool stopping_ = false, closed_ = false;
  std::multiset<CallPointer> of_futures_, of_threads_;
  std::vector<std::weak_ptr<files::FetchMany>> batches_;
  std::unique_ptr<Workers> workers_;
  std::thread notifier_;
};

// Hands what settled futures of one batch hold to their loops: one call_soon_threadsafe a loop. GIL held.
void deliver_settled();

}  // namespace penstock::python
