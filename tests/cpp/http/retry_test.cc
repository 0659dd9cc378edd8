#include "penstock/http/retry.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST(RetryPrice, is_awss_standard_mode_and_its_legacy_mode) {
  EXPECT_EQ(retry_price(RetryMode::standard, RetryClass::transient, false).base, 50ms);
  EXPECT_EQ(retry_price(RetryMode::standard, RetryClass::transient, true).cost, 14);
  EXPECT_EQ(retry_price(RetryMode::standard, RetryClass::throttle, false).base, 1s);
  EXPECT_EQ(retry_price(RetryMode::standard, RetryClass::throttle, false).cost, 5);
  EXPECT_EQ(retry_price(RetryMode::legacy, RetryClass::transient, false).base, 1s);
  EXPECT_EQ(retry_price(RetryMode::legacy, RetryClass::transient, false).cost, 5);
  EXPECT_EQ(retry_price(RetryMode::legacy, RetryClass::transient, true).cost, 10);
  EXPECT_EQ(retry_price(RetryMode::legacy, RetryClass::mend, true).cost, 0);
  EXPECT_EQ(retry_price(RetryMode::standard, RetryClass::mend, false).base, 0ms);
}

TEST(RetryQuota, a_retry_pays_or_is_not_made) {
  RetryQuota quota;
  for (int i = 0; i < 35; ++i) EXPECT_TRUE(quota.pay(14));
  EXPECT_EQ(quota.tokens(), 10);
  EXPECT_FALSE(quota.pay(14));
  EXPECT_EQ(quota.tokens(), 10);
  EXPECT_TRUE(quota.pay(5));
  EXPECT_TRUE(quota.pay(0));
}

TEST(RetryQuota, success_returns_what_its_last_retry_paid_and_at_least_one_token) {
  RetryQuota quota;
  quota.pay(14);
  quota.pay(5);
  quota.succeeded(5);
  EXPECT_EQ(quota.tokens(), 486);
  quota.succeeded(0);
  EXPECT_EQ(quota.tokens(), 487);
}

TEST(RetryQuota, never_holds_more_than_it_began_with) {
  RetryQuota quota;
  quota.succeeded(14);
  EXPECT_EQ(quota.tokens(), 500);
}

TEST(RetryQuota, in_a_total_outage_traffic_stays_under_twice_the_normal) {
  RetryQuota quota;
  int sent = 0;
  constexpr int kCalls = 1000;
  for (int call = 0; call < kCalls; ++call) {
    ++sent;
    for (int retry = 0; retry < 4 && quota.pay(14); ++retry) ++sent;
  }
  EXPECT_LE(sent, 2 * kCalls);
  EXPECT_GE(sent, kCalls + 30);
}

Verdict hints(std::optional<milliseconds> plain, std::optional<milliseconds> amz) {
  Verdict verdict;
  verdict.retry_after = plain;
  verdict.amz_retry_after = amz;
  return verdict;
}

TEST(RetryWait, is_the_jittered_wait_unless_the_server_asks_for_longer) {
  EXPECT_EQ(retry_wait(70ms, hints({}, {}), 60s), 70ms);
  EXPECT_EQ(retry_wait(70ms, hints(0ms, {}), 60s), 70ms);
  EXPECT_EQ(retry_wait(70ms, hints(2s, {}), 60s), 2s);
  EXPECT_EQ(retry_wait(70ms, hints(60s, {}), 60s), 60s);
}

TEST(RetryWait, longer_than_the_most_is_not_waited) {
  EXPECT_EQ(retry_wait(70ms, hints(60'001ms, {}), 60s), std::nullopt);
}

TEST(RetryWait, amazons_hint_is_kept_within_five_seconds_of_the_jitter) {
  EXPECT_EQ(retry_wait(70ms, hints({}, 10ms), 60s), 70ms);
  EXPECT_EQ(retry_wait(70ms, hints({}, 1s), 60s), 1s);
  EXPECT_EQ(retry_wait(70ms, hints({}, 9s), 60s), 5'070ms);
  EXPECT_EQ(retry_wait(70ms, hints(3600s, 1s), 60s), 1s);
}

TEST(RetryAfter, counts_seconds) {
  EXPECT_EQ(retry_after({{"Retry-After", "120"}}, {}), 120s);
  EXPECT_EQ(retry_after({{"retry-after", "0"}}, {}), 0s);
  EXPECT_EQ(retry_after({{"Retry-After", "99999999999999999999999"}}, {}), std::chrono::hours(24 * 365));
}

TEST(RetryAfter, a_date_counts_from_the_answers_own_date) {
  const Headers headers{{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                        {"Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"}};
  EXPECT_EQ(retry_after(headers, WallTime{}), 30s);
}

TEST(RetryAfter, a_date_without_date_counts_from_our_clock) {
  const WallTime now{std::chrono::seconds{784111777}};
  EXPECT_EQ(retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT"}}, now), 1s);
  EXPECT_EQ(retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:49:36 GMT"}}, now), 0s);
  EXPECT_EQ(retry_after({{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}}, now),
            std::chrono::hours(24 * 365));
}

TEST(RetryAfter, malformed_is_no_hint) {
  for (const char* text : {"", "-1", "1.5", "soon", "+3", " 3", "3s"})
    EXPECT_EQ(retry_after({{"Retry-After", text}}, {}), std::nullopt) << text;
  EXPECT_EQ(retry_after({}, {}), std::nullopt);
}

TEST(AmzRetryAfter, counts_milliseconds) {
  EXPECT_EQ(amz_retry_after({{"x-amz-retry-after", "1500"}}), 1500ms);
  EXPECT_EQ(amz_retry_after({{"x-amz-retry-after", "1.5"}}), std::nullopt);
  EXPECT_EQ(amz_retry_after({}), std::nullopt);
}

}  // namespace
}  // namespace penstock::http
