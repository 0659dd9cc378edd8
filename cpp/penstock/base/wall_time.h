// Seconds read from a text, as a moment of a clock that counts nanoseconds and so ends in 2262.
#pragma once

#include <algorithm>
#include <chrono>

#include "penstock/base/call.h"

namespace penstock {

// What lies beyond the clock is as far as it reaches: an expiry in 9999 must not wrap around into the past.
inline WallTime wall_time(std::chrono::seconds since_epoch) {
  constexpr auto kReach = std::chrono::duration_cast<std::chrono::seconds>(WallTime::duration::max());
  return WallTime{std::clamp(since_epoch, -kReach, kReach)};
}

}  // namespace penstock
