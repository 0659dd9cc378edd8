// Time, replaceable: nothing that decides by time reads the system's clock itself.
#pragma once

#include <memory>
#include <mutex>

#include "penstock/base/call.h"

namespace penstock {

// Threads: shared freely.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime now() const = 0;  // for spans: never goes back
  virtual WallTime wall() const = 0;   // for what is written down: signatures, names, expiry
  static std::shared_ptr<Clock> system();
};

// A clock that stands still until told. For tests, and shipped so that users' tests can have it too.
class ManualClock : public Clock {
 public:
  explicit ManualClock(WallTime wall = WallTime{});
  SteadyTime now() const override;
  WallTime wall() const override;
  void advance(std::chrono::nanoseconds span);
  void set_wall(WallTime wall);

 private:
  mutable std::mutex mutex_;
  SteadyTime now_{};
  WallTime wall_{};
};

}  // namespace penstock
