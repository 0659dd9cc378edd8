#include "penstock/http/delivery.h"

#include <utility>

#include <fmt/format.h>

namespace penstock::http {

Delivery::Delivery(Ring ring, std::shared_ptr<Arrival> arrival)
    : asked_(std::move(ring)), arrival_(std::move(arrival)) {}

Delivery::Delivery(Ring ring, std::shared_ptr<Arrival> arrival, std::uint64_t delivered)
    : Delivery(std::move(ring), std::move(arrival)) {
  open_ = true;
  resume_ = arrival_->resume;
  delivered_ = delivered;
  make_ring();
  if (delivered == 0) sum_.emplace(Algorithm::crc64nvme);
}

void Delivery::open(Resume resume, bool may_resume) {
  open_ = true;
  resume_ = std::move(resume);
  arrival_->resume = resume_;
  if (may_resume && resume_.possible()) sum_.emplace(Algorithm::crc64nvme);
  make_ring();
  settle(std::nullopt);
}

// No larger than the body: a small one takes neither pages nor much of the Budget.
void Delivery::make_ring() {
  const std::uint64_t body = resume_.bytes().value_or(asked_.bytes);
  Pipe pipe(std::min<std::uint64_t>(asked_.bytes, body), asked_.call, asked_.budget);
  ring_ = std::move(pipe.writer);
  arrival_->reader = std::move(pipe.reader);
}

void Delivery::settle(std::optional<Error> failure) {
  const std::lock_guard lock(arrival_->mutex);
  arrival_->failure = std::move(failure);
  arrival_->settled = true;
  arrival_->changed.notify_all();
}

void Delivery::read_over() {
  if (!sum_) {
    Facts facts;
    facts.side = Side::source;
    facts.code = code::kNotResumable;
    throw Error(Kind::lost, "the server ignores Range, so the body cannot go on from a mark",
                std::move(facts));
  }
  over_left_ = delivered_;
  sum_again_.emplace(Algorithm::crc64nvme);
}

// Takes from `bytes` what is only read over. False: it was not the same.
bool Delivery::compare(Bytes& bytes) {
  const Bytes over = bytes.first(std::min<std::uint64_t>(bytes.size(), over_left_));
  sum_again_->update(over);
  over_left_ -= over.size();
  bytes = bytes.subspan(over.size());
  return over_left_ > 0 || sum_again_->digest().equals(sum_->digest());
}

// Why so many new bytes could never be taken, however long the reader had.
std::optional<Error> Delivery::misfit(std::size_t fresh) const {
  const auto total = resume_.bytes();
  if (total && fresh > *total - std::min(delivered_, *total)) {
    return Error(Kind::corrupt, fmt::format("the body goes on after its {} bytes", *total),
                 {.side = Side::source, .code = "long_body"});
  }
  if (fresh > ring_.capacity()) {
    return Error(Kind::refused,
                 fmt::format("{} bytes came at once and the ring holds {}; make ring_bytes at least 64 KiB",
                             fresh, ring_.capacity()),
                 {.side = Side::source, .code = "ring_bytes"});
  }
  return std::nullopt;
}

// All or nothing, as libcurl wants it.
Delivery::Took Delivery::take(Bytes bytes) try {
  const std::size_t fresh = bytes.size() - std::min<std::uint64_t>(bytes.size(), over_left_);
  error_ = misfit(fresh);
  if (error_) return Took::stop;
  if (ring_.room() < fresh) return Took::nothing;
  if (over_left_ > 0) {
    if (!compare(bytes)) {
      Facts facts;
      facts.code = code::kChanged;
      error_ = Error(Kind::conflict, "the object changed while it was read, under the same ETag",
                     std::move(facts));
      return Took::stop;
    }
    if (bytes.empty()) return Took::all;
  }
  if (sum_) sum_->update(bytes);
  ring_.try_write(bytes);
  delivered_ += bytes.size();
  return Took::all;
} catch (const Error&) {
  return Took::stop;
}

void Delivery::finish() try { ring_.finish(); } catch (const Error&) {
  // The reader left before the end: nobody to tell.
}

void Delivery::fail(const Error& error) {
  if (open_) return ring_.fail(error);
  settle(error);
}

}  // namespace penstock::http
