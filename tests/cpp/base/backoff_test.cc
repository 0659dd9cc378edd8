#include "penstock/base/backoff.h"

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::milliseconds;

// The smallest and the largest of many draws before retry `n`.
std::pair<milliseconds, milliseconds> range_of(int n, milliseconds base) {
  Backoff backoff{42};
  milliseconds least = milliseconds::max(), most{-1};
  for (int i = 0; i < 5'000; ++i) {
    const auto drawn = backoff.before_retry(n, base);
    least = std::min(least, drawn);
    most = std::max(most, drawn);
  }
  return {least, most};
}

TEST(Backoff, the_jitter_is_full_and_its_ceiling_doubles) {
  for (const auto& [n, ceiling] : {std::pair{1, 50}, {2, 100}, {3, 200}, {4, 400}}) {
    const auto [least, most] = range_of(n, milliseconds{50});
    EXPECT_LE(least, milliseconds{ceiling / 20}) << n;
    EXPECT_GE(most, milliseconds{ceiling * 19 / 20}) << n;
    EXPECT_LE(most, milliseconds{ceiling}) << n;
  }
}

TEST(Backoff, never_waits_over_twenty_seconds) {
  EXPECT_EQ(Backoff::kCap, milliseconds{20'000});
  const auto [least, most] = range_of(std::numeric_limits<int>::max(), milliseconds{1'000});
  EXPECT_LE(most, Backoff::kCap);
  EXPECT_GE(most, Backoff::kCap * 9 / 10);
  EXPECT_LE(range_of(1, milliseconds::max()).second, Backoff::kCap);
}

TEST(Backoff, without_a_base_there_is_no_wait) {
  EXPECT_EQ(range_of(3, milliseconds{0}).second, milliseconds{0});
  EXPECT_EQ(range_of(3, milliseconds{-5}).second, milliseconds{0});
}

TEST(Backoff, the_same_seed_gives_the_same_waits) {
  Backoff a{7}, b{7};
  for (int n = 1; n < 6; ++n)
    EXPECT_EQ(a.before_retry(n, milliseconds{50}), b.before_retry(n, milliseconds{50}));
}

}  // namespace
}  // namespace penstock
