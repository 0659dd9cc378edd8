#include "penstock/streams/peek.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace penstock {

Bytes Peek::peek(std::size_t bytes) {
  if (reading_) throw std::logic_error{"peek() after read()"};
  if (seen_.size() < bytes) look_at(bytes - seen_.size());
  return Bytes{seen_}.first(std::min(bytes, seen_.size()));
}

void Peek::look_at(std::size_t more) {
  if (failure_) std::rethrow_exception(failure_);
  std::vector<std::byte> buffer(more);
  try {
    for (std::size_t got = 1; got > 0 && more > 0; more -= got) {
      got = source_.read(std::span{buffer}.first(more));
      seen_.insert(seen_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
    }
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

std::size_t Peek::read(MutableBytes buffer) {
  reading_ = true;
  if (at_ == seen_.size()) {
    throw_failure();
    return source_.read(buffer);
  }
  const Bytes some = Bytes{seen_}.subspan(at_, std::min(buffer.size(), seen_.size() - at_));
  std::ranges::copy(some, buffer.begin());
  at_ += some.size();
  return some.size();
}

// Once: what a source does after it broke is its own affair.
void Peek::throw_failure() {
  if (const auto failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
}

std::size_t Peek::read_page(Page& page) {
  return at_ == seen_.size() && !failure_ ? source_.read_page(page) : read(page.bytes());
}

std::optional<std::uint64_t> Peek::remaining() const {
  const auto rest = source_.remaining();
  return rest ? std::optional{*rest + (seen_.size() - at_)} : std::nullopt;
}

void Peek::mark() {
  source_.mark();
  marked_at_ = at_;
}

void Peek::rewind() {
  source_.rewind();
  at_ = marked_at_;
}

}  // namespace penstock
