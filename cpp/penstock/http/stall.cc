#include "penstock/http/stall.h"

#include <algorithm>
#include <utility>

namespace penstock::http {

StallClock::StallClock(std::chrono::nanoseconds window, std::uint64_t bytes_per_second)
    : slice_(std::max<std::chrono::nanoseconds>(window / kSlices, std::chrono::nanoseconds{1})) {
  const double least = static_cast<double>(bytes_per_second) * std::chrono::duration<double>(window).count();
  least_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(least));
}

void StallClock::count(std::chrono::nanoseconds span, std::uint64_t bytes) {
  if (std::exchange(fresh_, false)) sum_ -= std::exchange(slices_[at_], 0);  // what leaves the window
  slices_[at_] += bytes;
  sum_ += bytes;
  in_slice_ += span;
  if (in_slice_ < slice_) return;
  in_slice_ = {};
  filled_ = std::min(filled_ + 1, kSlices);
  at_ = (at_ + 1) % kSlices;
  fresh_ = true;
}

bool StallClock::stalled() const {
  return filled_ == kSlices && sum_ < least_;
}

}  // namespace penstock::http
