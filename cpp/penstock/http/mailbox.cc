#include "penstock/http/mailbox.h"

#include <utility>

namespace penstock::http {

bool Mailbox::post(Job job) {
  const std::lock_guard lock(mutex_);
  if (!multi_) return false;
  jobs_.push_back(std::move(job));
  // Under the lock, since close() must not free the multi handle meanwhile.
  if (jobs_.size() == 1 && !on_io_thread()) curl_multi_wakeup(multi_);
  return true;
}

void Mailbox::open(CURLM* multi) {
  const std::lock_guard lock(mutex_);
  multi_ = multi;
}

std::vector<Mailbox::Job> Mailbox::take() {
  io_thread_ = std::this_thread::get_id();
  const std::lock_guard lock(mutex_);
  return std::exchange(jobs_, {});
}

bool Mailbox::empty() const {
  const std::lock_guard lock(mutex_);
  return jobs_.empty();
}

std::vector<Mailbox::Job> Mailbox::close() {
  const std::lock_guard lock(mutex_);
  multi_ = nullptr;
  return std::exchange(jobs_, {});
}

}  // namespace penstock::http
