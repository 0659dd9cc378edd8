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
#include "penstock/http/headers.h"
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
  std::optional<std::uint64_t> bytes;  // of this body
  std::atomic<int> attempts{0}, resumes{0};
};

// Threads: the I/O thread only.
class Delivery {
 public:
  enum class Took { all, nothing, stop };  // stop: the reader is gone
  Delivery(PipeWriter ring, std::size_t ring_bytes, std::shared_ptr<Arrival> arrival)
      : ring_(std::move(ring)), ring_bytes_(ring_bytes), arrival_(std::move(arrival)) {}

  Arrival& arrival() { return *arrival_; }
  void opened();  // the head stands in arrival()
  std::size_t ring_bytes() const { return ring_bytes_; }
  bool is_open() const { return open_; }
  Took take(Bytes bytes);
  std::size_t room() const { return ring_.room(); }
  void on_room(std::size_t at_least, std::function<void()> ready) {
    ring_.on_room(std::max(at_least, ring_bytes_ / 2), std::move(ready));
  }
  std::uint64_t delivered() const { return delivered_; }

  void finish();
  void fail(const Error& error);

 private:
  void settle(std::optional<Error> failure);
  PipeWriter ring_;
  std::size_t ring_bytes_;
  std::shared_ptr<Arrival> arrival_;
  bool open_ = false;
  std::uint64_t delivered_ = 0;
};

}  // namespace penstock::http
