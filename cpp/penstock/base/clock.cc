#include "penstock/base/clock.h"

namespace penstock {
namespace {

class SystemClock : public Clock {
 public:
  SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

}  // namespace

std::shared_ptr<Clock> Clock::system() {
  static const auto& clock =
      *new std::shared_ptr<Clock>{new SystemClock};  // never freed: asked until the exit ends
  return clock;
}

ManualClock::ManualClock(WallTime wall) : wall_(wall) {}

SteadyTime ManualClock::now() const {
  const std::lock_guard lock{mutex_};
  return now_;
}

WallTime ManualClock::wall() const {
  const std::lock_guard lock{mutex_};
  return wall_;
}

void ManualClock::advance(std::chrono::nanoseconds span) {
  const std::lock_guard lock{mutex_};
  now_ += std::chrono::duration_cast<SteadyTime::duration>(span);
  wall_ += std::chrono::duration_cast<WallTime::duration>(span);
}

void ManualClock::set_wall(WallTime wall) {
  const std::lock_guard lock{mutex_};
  wall_ = wall;
}

}  // namespace penstock
