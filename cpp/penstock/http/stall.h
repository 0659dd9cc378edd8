// The stall clock: too few bytes in the time in which bytes could have moved.
//
// libcurl's own low-speed check stops while a receive is paused and runs while an upload waits for our data:
// both wrong here. So the caller says which spans count.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace penstock::http {

// A sliding window of kSlices slices of counted time. A value; belongs to one thread.
class StallClock {
 public:
  StallClock() = default;
  // Stalled: less than `bytes_per_second` (0: not one byte) over a whole window.
  StallClock(std::chrono::nanoseconds window, std::uint64_t bytes_per_second);

  // `span` counted, in which `bytes` moved. A span longer than a slice counts as one slice: a late look must
  // not look like a stall.
  void count(std::chrono::nanoseconds span, std::uint64_t bytes);
  bool stalled() const;

 private:
  static constexpr int kSlices = 16;
  std::chrono::nanoseconds slice_{0};
  std::uint64_t least_ = 1;
  std::array<std::uint64_t, kSlices> slices_{};  // bytes
  std::uint64_t sum_ = 0;
  std::chrono::nanoseconds in_slice_{0};
  int at_ = 0, filled_ = 0;
  bool fresh_ = false;  // nothing was counted into slice at_ yet
};

}  // namespace penstock::http
