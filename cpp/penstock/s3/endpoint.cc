#include "penstock/s3/endpoint.h"

#include "penstock/base/error.h"
#include "penstock/base/wait.h"

namespace penstock::s3 {

const Capabilities* Endpoint::row() const {
  const std::lock_guard lock{mutex_};
  return row_;
}

void Endpoint::learn(std::string_view server) {
  const std::lock_guard lock{mutex_};
  if (row_) return;
  const Capabilities* named = row_by_server(server);
  row_ = named ? named : &provider_row("other");
}

const Capabilities& Endpoint::wait_for_row(const Call& call, const std::function<void()>& ask) {
  std::unique_lock lock{mutex_};
  while (!row_) {
    if (asking_) {
      base::wait(answered_, lock, call, "wait for the endpoint's first answer", [&] { return !asking_; });
      continue;
    }
    asking_ = true;
    lock.unlock();
    // 403 and 404 teach as much as 200: only silence is a failure.
    std::exception_ptr failure;
    try {
      ask();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    asking_ = false;
    answered_.notify_all();
    if (!row_ && failure) std::rethrow_exception(failure);
    if (!row_) row_ = &provider_row("other");
  }
  return *row_;
}

void Endpoint::proved(Support put, Support complete) {
  const std::lock_guard lock{mutex_};
  Capabilities row = row_ ? *row_ : provider_row("other");
  row.conditional_put = put;
  row.conditional_complete = complete;
  row_ = &proved_.emplace_back(std::move(row));
}

bool Endpoint::takes_checksums() const {
  const std::lock_guard lock{mutex_};
  return takes_checksums_;
}

void Endpoint::refuse_checksums() {
  const std::lock_guard lock{mutex_};
  takes_checksums_ = false;
}

bool Endpoint::takes_trailers() const {
  const std::lock_guard lock{mutex_};
  return takes_trailers_;
}

void Endpoint::refuse_trailers() {
  const std::lock_guard lock{mutex_};
  takes_trailers_ = false;
}

void Endpoint::opened(const std::string& upload_id) {
  const std::lock_guard lock{mutex_};
  uploads_.insert(upload_id);
}

void Endpoint::closed(const std::string& upload_id) {
  const std::lock_guard lock{mutex_};
  uploads_.erase(upload_id);
}

bool Endpoint::knows(const std::string& upload_id) const {
  const std::lock_guard lock{mutex_};
  return uploads_.contains(upload_id);
}

}  // namespace penstock::s3
