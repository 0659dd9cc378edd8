// The way into the I/O thread: jobs posted by any thread, run there in order.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <curl/curl.h>

namespace penstock::http {

// Life:    outlives the I/O thread for whoever still holds it; then post() says false and drops the job.
// Threads: shared freely.
class Mailbox {
 public:
  using Job = std::function<void()>;

  // Wakes the I/O thread only when the box was empty: one wake-up a batch.
  bool post(Job job);

  // The I/O thread's side.
  void open(CURLM* multi);
  std::vector<Job> take();
  bool empty() const;
  std::vector<Job> close();  // from here on post() says false; what was accepted before is the caller's
  bool on_io_thread() const { return std::this_thread::get_id() == io_thread_.load(); }

 private:
  mutable std::mutex mutex_;
  CURLM* multi_ = nullptr;  // null once closed
  std::vector<Job> jobs_;
  std::atomic<std::thread::id> io_thread_{};
};

}  // namespace penstock::http
