#include "penstock/http/content_range.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_from;

TEST(ContentRange, is_first_last_and_total) {
  const ContentRange range = ContentRange::parse("bytes 5-9/20");
  EXPECT_EQ(range, (ContentRange{5, 9, 20}));
  EXPECT_EQ(range.size(), 5u);
  EXPECT_EQ(range.text(), "bytes 5-9/20");
  EXPECT_EQ(ContentRange::parse("BYTES 0-0/1").size(), 1u);
  EXPECT_EQ(ContentRange::parse("bytes 0-18446744073709551614/18446744073709551615").last, UINT64_MAX - 1);
}

TEST(ContentRange, anything_else_is_corrupt) {
  for (const char* text : {"",
                           "bytes",
                           "bytes ",
                           "bytes 5-9",
                           "bytes 5-9/",
                           "bytes 5-9/*",
                           "bytes */20",
                           "bytes 9-5/20",
                           "bytes 5-20/20",
                           "bytes 0-0/0",
                           "bytes -9/20",
                           "bytes 5-/20",
                           "bytes=5-9/20",
                           "bytes  5-9/20",
                           "bytes 5-9/20 ",
                           " bytes 5-9/20",
                           "bytes 5 -9/20",
                           "bytes +5-9/20",
                           "bytes 0x5-9/20",
                           "items 5-9/20",
                           "bytes 5-9/20, bytes 10-19/20",
                           "bytes 5-18446744073709551616/18446744073709551617",
                           "bytes 5-9/99999999999999999999",
                           "bytes 5/9-20",
                           "bytes 5-9-12/20",
                           "bytes 5-9/20/30",
                           "bytes\t5-9/20"})
    EXPECT_EQ(error_from([&] { ContentRange::parse(text); })->kind(), Kind::corrupt) << text;
}

TEST(ContentRange, a_206_has_exactly_one) {
  EXPECT_EQ(content_range({{"content-range", "bytes 0-1/2"}}), (ContentRange{0, 1, 2}));
  EXPECT_EQ(error_from([] { content_range({}); })->kind(), Kind::corrupt);
  const Headers twice{{"Content-Range", "bytes 0-1/2"}, {"Content-Range", "bytes 0-1/2"}};
  EXPECT_EQ(error_from([&] { content_range(twice); })->kind(), Kind::corrupt);
}

TEST(ContentRange, a_416_names_the_total) {
  EXPECT_EQ(unsatisfied_range_total({}), std::nullopt);
  EXPECT_EQ(unsatisfied_range_total({{"Content-Range", "bytes */0"}}), 0u);
  EXPECT_EQ(unsatisfied_range_total({{"Content-Range", "bytes */18446744073709551615"}}), UINT64_MAX);
  for (const char* text : {"bytes */", "bytes */x", "bytes 0-1/2", "*/5", "bytes */*", "bytes */5 "})
    EXPECT_EQ(error_from([&] { unsatisfied_range_total({{"Content-Range", text}}); })->kind(), Kind::corrupt)
        << text;
}

TEST(ContentLength, the_same_number_repeated_counts_once) {
  EXPECT_EQ(content_length({}), std::nullopt);
  EXPECT_EQ(content_length({{"Content-Length", "0"}}), 0u);
  EXPECT_EQ(content_length({{"Content-Length", " 42\t"}}), 42u);
  EXPECT_EQ(content_length({{"Content-Length", "42, 42"}}), 42u);
  EXPECT_EQ(content_length({{"Content-Length", "42"}, {"content-length", "42,42"}}), 42u);
  EXPECT_EQ(content_length({{"Content-Length", "18446744073709551615"}}), UINT64_MAX);
}

TEST(ContentLength, different_or_malformed_numbers_are_corrupt) {
  for (const char* text : {"", " ", ",", "42,", ",42", "42, 43", "-1", "+1", "4 2", "0x10", "1.0", "1e3",
                           "42;", "18446744073709551616"})
    EXPECT_EQ(error_from([&] { content_length({{"Content-Length", text}}); })->kind(), Kind::corrupt) << text;
  const Headers differ{{"Content-Length", "1"}, {"Content-Length", "2"}};
  EXPECT_EQ(error_from([&] { content_length(differ); })->facts().side, Side::source);
}

TEST(ByteRange, open_and_closed_ranges_go_both_ways) {
  for (const char* text : {"bytes=0-", "bytes=5-9", "bytes=7-7", "bytes=18446744073709551615-"})
    EXPECT_EQ(ByteRange::parse(text)->text(), text);
}

TEST(ByteRange, what_cannot_be_resumed_is_not_a_range) {
  for (const char* text : {"", "bytes=", "bytes=-5", "bytes=5", "bytes=9-5", "bytes=0-1,3-4", "items=0-1",
                           "bytes 0-1", "bytes=0-x", "bytes=a-", "bytes=0-1 ", "bytes=18446744073709551616-"})
    EXPECT_EQ(ByteRange::parse(text), std::nullopt) << text;
}

}  // namespace
}  // namespace penstock::http
