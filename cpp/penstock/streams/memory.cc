#include "penstock/streams/memory.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/units.h"

namespace penstock {

std::size_t MemorySource::read(MutableBytes buffer) {
  const std::size_t count = std::min(buffer.size(), bytes_.size() - at_);
  if (count > 0) std::memcpy(buffer.data(), bytes_.data() + at_, count);
  at_ += count;
  return count;
}

void MemorySink::write(Bytes bytes) {
  if (finished_ || aborted_) throw std::logic_error{"write() on a sink that has ended"};
  if (bytes.size() > max_bytes_ - pending_.size()) {
    throw Error{Kind::refused,
                fmt::format("more than {} was written to memory", format_bytes(max_bytes_)),
                {.side = Side::sink, .doing = "write to memory", .code = std::string{code::kTooLarge}}};
  }
  pending_ += as_text(bytes);
}

Receipt MemorySink::finish() {
  if (finished_ || aborted_) throw std::logic_error{"finish() on a sink that has ended"};
  finished_ = true;
  visible_ = std::move(pending_);
  return {.bytes = visible_.size(), .mode = "memory"};
}

void MemorySink::abort(std::string_view why) noexcept {
  if (finished_ || aborted_) return;
  aborted_ = true;
  why_ = why;
  pending_.clear();
}

SlowSource& SlowSource::break_at(std::uint64_t offset, Error error) {
  break_at_ = offset;
  error_ = std::move(error);
  return *this;
}

std::size_t SlowSource::read(MutableBytes buffer) {
  std::size_t most = std::min(step_, buffer.size());
  if (error_) {
    if (at_ >= break_at_) throw *std::exchange(error_, std::nullopt);
    most = static_cast<std::size_t>(std::min<std::uint64_t>(most, *break_at_ - at_));
  }
  const std::size_t got = source_.read(buffer.first(most));
  at_ += got;
  return got;
}

void SlowSource::mark() {
  source_.mark();
  mark_ = at_;
}

void SlowSource::rewind() {
  source_.rewind();
  at_ = mark_;
}

SlowSink& SlowSink::break_at(std::uint64_t offset, Error error) {
  break_at_ = offset;
  error_ = std::move(error);
  return *this;
}

void SlowSink::write(Bytes bytes) {
  while (!bytes.empty()) {
    std::size_t count = std::min(step_, bytes.size());
    if (error_) {
      if (at_ >= break_at_) throw Error{*error_};
      count = static_cast<std::size_t>(std::min<std::uint64_t>(count, *break_at_ - at_));
    }
    sink_.write(bytes.first(count));
    at_ += count;
    bytes = bytes.subspan(count);
  }
}

}  // namespace penstock
