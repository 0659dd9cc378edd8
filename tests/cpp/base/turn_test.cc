#include "penstock/base/turn.h"

#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::base {
namespace {

TEST(Turn, who_waits_for_one_can_be_stopped_and_the_next_gets_it) {
  Turns turns;
  std::optional<Turn> first;
  first.emplace(turns, Call{}, "be first");
  std::stop_source stop;
  std::optional<Error> stopped;
  std::jthread waits{
      [&] { stopped = test::error_from([&] { Turn{turns, {.stop = stop.get_token()}, "wait"}; }); }};
  stop.request_stop();
  waits.join();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->kind(), Kind::cancelled);
  std::jthread next{[&] { Turn{turns, Call{}, "be next"}; }};
  first.reset();
  next.join();
  Turn{turns, {.deadline = Deadline{SteadyTime{}}}, "need not wait"};
}

}  // namespace
}  // namespace penstock::base
