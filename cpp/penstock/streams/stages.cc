#include "penstock/streams/stages.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/units.h"

namespace penstock {

Limit::Limit(Source& source, std::uint64_t max_bytes)
    : source_(source), max_bytes_(max_bytes), left_(max_bytes) {}

std::size_t Limit::read(MutableBytes buffer) {
  // With nothing left, one byte is asked for all the same: only that tells the end from too much.
  const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_));
  return passed(source_.read(buffer.first(std::max<std::size_t>(most, 1))));
}

std::size_t Limit::read_page(Page& page) {
  return left_ < kPageBytes ? read(page.bytes()) : passed(source_.read_page(page));
}

std::size_t Limit::passed(std::size_t got) {
  if (got > left_) {
    throw Error{Kind::refused,
                fmt::format("the source is over its limit of {}", format_bytes(max_bytes_)),
                {.side = Side::source,
                 .doing = "read",
                 .code = std::string{code::kTooLarge},
                 .bytes_done = max_bytes_}};
  }
  left_ -= got;
  return got;
}

void Limit::mark() {
  source_.mark();
  marked_left_ = left_;
}

void Limit::rewind() {
  source_.rewind();
  left_ = marked_left_;
}

std::size_t Count::read(MutableBytes buffer) {
  return passed(source_.read(buffer));
}

std::size_t Count::read_page(Page& page) {
  return passed(source_.read_page(page));
}

std::size_t Count::passed(std::size_t got) {
  bytes_ += got;
  return got;
}

void Count::mark() {
  source_.mark();
  marked_bytes_ = bytes_;
}

void Count::rewind() {
  source_.rewind();
  bytes_ = marked_bytes_;
}

std::size_t Tee::read(MutableBytes buffer) {
  return passed(buffer.first(source_.read(buffer)));
}

std::size_t Tee::read_page(Page& page) {
  const std::size_t got = source_.read_page(page);
  return passed(page.bytes().first(got));
}

std::size_t Tee::passed(Bytes bytes) {
  if (!bytes.empty()) sink_.write(bytes);
  return bytes.size();
}

Meter::Meter(Source& source, Progress* progress, std::shared_ptr<const Clock> clock)
    : source_(source), progress_(progress), clock_(std::move(clock)) {
  report_.state = TransferState::downloading;
  report_.bytes_total = source.remaining();
}

std::size_t Meter::read(MutableBytes buffer) {
  return passed(source_.read(buffer));
}

std::size_t Meter::read_page(Page& page) {
  return passed(source_.read_page(page));
}

std::size_t Meter::passed(std::size_t got) {
  constexpr std::chrono::milliseconds kEvery{100};
  bytes_ += got;
  report_.bytes_done = std::max(report_.bytes_done, bytes_);
  if (!progress_) return got;

  const auto now = clock_->now();
  const bool due = !last_report_ || now - *last_report_ >= kEvery;
  const bool at_the_end = got == 0 && !std::exchange(ended_, got == 0);
  if ((due && got > 0) || at_the_end) {
    last_report_ = now;
    progress_->report(report_);
  }
  return got;
}

void Meter::mark() {
  source_.mark();
  marked_bytes_ = bytes_;
}

void Meter::rewind() {
  source_.rewind();
  bytes_ = marked_bytes_;
}

}  // namespace penstock
