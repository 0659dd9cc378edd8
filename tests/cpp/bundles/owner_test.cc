#include "penstock/bundles/owner.h"

#include <chrono>

#include <gtest/gtest.h>

#include "penstock/base/clock.h"
#include "penstock/bundles/documents.h"

namespace penstock::bundles::test {
namespace {

using std::chrono::hours;

TEST(Owner, gives_up_what_is_older_than_it_may_be_and_nothing_without_a_time) {
  const WallTime now = Clock::system()->wall();
  const std::string alive = this_owner();
  EXPECT_FALSE(is_given_up(alive, timestamp(now - hours{23}), now, hours{24}));
  EXPECT_TRUE(is_given_up(alive, timestamp(now - hours{25}), now, hours{24}));
  EXPECT_FALSE(is_given_up(alive, "yesterday", now, hours{24}));
}

TEST(Owner, a_time_beyond_all_that_can_be_counted_is_not_given_up) {
  const WallTime now = Clock::system()->wall();
  EXPECT_FALSE(is_given_up(this_owner(), "9999-12-31T23:59:59.999999Z", now, hours{24}));
}

}  // namespace
}  // namespace penstock::bundles::test
