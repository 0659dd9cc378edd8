#include "penstock/base/clock.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::seconds;

TEST(ManualClock, stands_still_until_advanced) {
  ManualClock clock{WallTime{seconds{1'000}}};
  const auto start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(seconds{7});
  EXPECT_EQ(clock.now() - start, seconds{7});
  EXPECT_EQ(clock.wall(), WallTime{seconds{1'007}});
}

TEST(ManualClock, setting_the_wall_does_not_move_spans) {
  ManualClock clock;
  const auto start = clock.now();
  clock.set_wall(WallTime{seconds{5}});
  EXPECT_EQ(clock.wall(), WallTime{seconds{5}});
  EXPECT_EQ(clock.now(), start);
}

TEST(Clock, the_system_clock_is_one_and_does_not_go_back) {
  const auto clock = Clock::system();
  const auto earlier = clock->now();
  EXPECT_GE(clock->now(), earlier);
  EXPECT_EQ(clock, Clock::system());
}

}  // namespace
}  // namespace penstock
