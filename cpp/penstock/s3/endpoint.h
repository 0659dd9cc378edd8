// What has been learnt of an endpoint while talking to it. Shared by all buckets behind it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/s3/provider.h"

namespace penstock::s3 {

// Threads: shared freely; learn() is called on the I/O thread.
class Endpoint {
 public:
  // `known`: the row by name or host; nullptr: the first answer's Server header will say.
  explicit Endpoint(const Capabilities* known) : row_(known) {}

  const Capabilities* row() const;
  void learn(std::string_view server);

  // The row; if unknown, runs `ask` once however many callers, and the answer it gets teaches.
  const Capabilities& wait_for_row(const Call& call, const std::function<void()>& ask);

  // What a probe found of conditions, instead of what the row says.
  void proved(Support put, Support complete);

  // A 400 or 501 that named a checksum: from now on none is sent.
  bool takes_checksums() const;
  void refuse_checksums();

  // The same of a checksum that came after a body.
  bool takes_trailers() const;
  void refuse_trailers();

  // Uploads this process has open here: not orphans.
  void opened(const std::string& upload_id);
  void closed(const std::string& upload_id);
  bool knows(const std::string& upload_id) const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any answered_;
  const Capabilities* row_;
  bool asking_ = false;
  bool takes_checksums_ = true, takes_trailers_ = true;
  std::set<std::string> uploads_;
  std::deque<Capabilities> proved_;  // rows that were handed out stay
};

}  // namespace penstock::s3
