// The caller's payload for as long as its exchange lives, and no longer: a policy that is still preparing on
// another thread when the exchange is cancelled must not read what the caller has freed.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "penstock/http/request.h"

namespace penstock::http {

class Lease final : public Payload {
 public:
  explicit Lease(std::shared_ptr<const Payload> payload)
      : payload_(std::move(payload)), size_(payload_->size()) {}

  std::uint64_t size() const override { return size_; }
  // Nothing, once the lease has ended.
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override {
    const std::lock_guard lock(mutex_);
    return payload_ ? payload_->read_at(offset, out) : 0;
  }
  // Returns when no read is under way.
  void end() {
    const std::lock_guard lock(mutex_);
    payload_.reset();
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Payload> payload_;
  const std::uint64_t size_;
};

}  // namespace penstock::http
