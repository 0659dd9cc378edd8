// An accepted body on its way: from libcurl's buffer into the ring that its Body reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "penstock/base/error.h"
#include "penstock/http/resume.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/pipe.h"

namespace penstock::http {

// What the opener waits for, then reads. Threads: `mutex` until settled; after that only the atomics change.
struct Arrival {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool settled = false;
  std::optional<Error> failure;
  int status = 0;
  Headers headers;
  std::string url;
  bool framed = true;
  Resume resume;
  PipeReader reader;  // once settled without a failure
  std::atomic<int> attempts{0}, resumes{0};
};

// Threads: the I/O thread only.
class Delivery {
 public:
  enum class Took { all, nothing, stop };  // stop: the reader is gone, or error() says why
  struct Ring {
    std::size_t bytes;  // at most: less for a body that is smaller
    Call call;
    std::shared_ptr<Budget> budget;
  };
  // From the first byte.
  Delivery(Ring ring, std::shared_ptr<Arrival> arrival);
  // From byte `delivered` on, of a body whose head stands in `arrival` already.
  Delivery(Ring ring, std::shared_ptr<Arrival> arrival, std::uint64_t delivered);

  Arrival& arrival() { return *arrival_; }
  std::size_t ring_bytes() const { return asked_.bytes; }
  bool is_open() const { return open_; }
  void open(Resume resume, bool may_resume);  // the rest of the head stands in arrival()

  Resume& resume() { return resume_; }
  std::uint64_t delivered() const { return delivered_; }
  bool complete() const { return over_left_ == 0 && (!resume_.bytes() || delivered_ == *resume_.bytes()); }
  void go_on() { over_left_ = 0; }  // what comes next is new
  // The same object comes again from its beginning: what was delivered is read over and compared.
  // Throws Error(lost, not_resumable) if nothing is known to compare it with.
  void read_over();

  Took take(Bytes bytes);
  const std::optional<Error>& error() const { return error_; }
  std::size_t room() const { return ring_.room(); }
  void on_room(std::size_t at_least, std::function<void()> ready) {
    ring_.on_room(std::max(at_least, asked_.bytes / 2), std::move(ready));
  }

  void finish();
  void fail(const Error& error);

 private:
  void make_ring();
  void settle(std::optional<Error> failure);
  bool compare(Bytes& bytes);
  std::optional<Error> misfit(std::size_t fresh) const;
  Ring asked_;
  PipeWriter ring_;
  std::shared_ptr<Arrival> arrival_;
  bool open_ = false;
  Resume resume_;
  std::uint64_t delivered_ = 0;
  // CRC64NVME of what was delivered, and of what is read over; only where a resume is possible.
  std::optional<Hasher> sum_, sum_again_;
  std::uint64_t over_left_ = 0;
  std::optional<Error> error_;
};

}  // namespace penstock::http
