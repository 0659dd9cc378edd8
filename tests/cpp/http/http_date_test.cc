#include "penstock/http/http_date.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

using std::chrono::seconds;

TEST(HttpDate, the_three_forms_of_rfc_9110_are_one_moment) {
  const WallTime wanted{seconds{784111777}};
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), wanted);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), wanted);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), wanted);
  EXPECT_EQ(http_date(wanted), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpDate, leap_days_leap_seconds_and_two_digit_years) {
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT"), WallTime{seconds{1709164800}});
  EXPECT_EQ(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT"), WallTime{seconds{1483228800}});
  EXPECT_EQ(parse_http_date("Saturday, 21-Nov-26 00:00:00 GMT"), WallTime{seconds{1795219200}});
}

TEST(HttpDate, anything_else_is_nothing) {
  for (const char* text :
       {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 nov 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun Nov 6 08:49:37 1994", "1994-11-06T08:49:37Z",
        "Thu, 29 Feb 2023 00:00:00 GMT"})
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
}

TEST(HttpDate, dates_beyond_the_clock_are_as_far_as_it_reaches) {
  EXPECT_GT(*parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"),
            *parse_http_date("Fri, 31 Dec 2200 23:59:59 GMT"));
  EXPECT_LT(*parse_http_date("Sat, 01 Jan 0000 00:00:00 GMT"),
            *parse_http_date("Sat, 01 Jan 1700 00:00:00 GMT"));
}

TEST(HttpDate, the_ends_of_the_clock_can_be_written) {
  EXPECT_EQ(http_date(WallTime::min()), "Tue, 21 Sep 1677 00:12:43 GMT");
  EXPECT_EQ(http_date(WallTime::max()), "Fri, 11 Apr 2262 23:47:16 GMT");
}

TEST(HttpDate, every_moment_written_is_read_back) {
  for (std::int64_t at = -2'000'000'000; at < 8'000'000'000; at += 86'399 * 37)
    ASSERT_EQ(parse_http_date(http_date(WallTime{seconds{at}})), WallTime{seconds{at}}) << at;
}

}  // namespace
}  // namespace penstock::http
