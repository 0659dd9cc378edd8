#include "penstock/base/units.h"

#include <limits>

#include <gtest/gtest.h>

#include "penstock/base/error.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;

TEST(Units, sizes_are_read_with_binary_and_decimal_units) {
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("0"), 0U);
  EXPECT_EQ(parse_bytes("11 bytes"), 11U);
  EXPECT_EQ(parse_bytes("64KiB"), 65'536U);
  EXPECT_EQ(parse_bytes("1.5GiB"), 1'610'612'736U);
  EXPECT_EQ(parse_bytes("10MB"), 10'000'000U);
  EXPECT_EQ(parse_bytes("2TiB"), 2_TiB);
}

TEST(Units, case_and_spaces_around_the_unit_do_not_matter) {
  EXPECT_EQ(parse_bytes("  8  mib "), 8_MiB);
  EXPECT_EQ(parse_bytes("8MIB"), 8_MiB);
}

TEST(Units, a_fraction_is_rounded_down_to_whole_bytes) {
  EXPECT_EQ(parse_bytes("0.1KiB"), 102U);
}

TEST(Units, the_largest_size_is_read_and_one_more_refused) {
  EXPECT_EQ(parse_bytes("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_THROW(parse_bytes("18446744073709551616"), Error);
  EXPECT_THROW(parse_bytes("16777216TiB"), Error);
  EXPECT_EQ(parse_bytes("16777215.5TiB"), std::numeric_limits<std::uint64_t>::max() - 1_TiB / 2 + 1);
}

class NotASize : public ::testing::TestWithParam<const char*> {};

TEST_P(NotASize, is_refused_by_name) {
  try {
    parse_bytes(GetParam());
    FAIL() << "was read as a size";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_NE(error.message().find(GetParam()), std::string::npos) << error.message();
  }
}

INSTANTIATE_TEST_SUITE_P(Units, NotASize,
                         ::testing::Values("", "KiB", "-1", "+1", "1.5", "1..5KiB", ".5KiB", "1.KiB",
                                           "8 Mi B", "8MiBs", "1e3", "0x10", "64K", "1,000", "1.1234567MiB",
                                           "٣"));

TEST(Units, sizes_are_written_with_three_digits) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1), "1 byte");
  EXPECT_EQ(format_bytes(11), "11 bytes");
  EXPECT_EQ(format_bytes(999), "999 bytes");
  EXPECT_EQ(format_bytes(1000), "0.977 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(1023 * 1024), "0.999 MiB");
  EXPECT_EQ(format_bytes(256_MiB), "256 MiB");
  EXPECT_EQ(format_bytes(3_GiB / 2), "1.5 GiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "16 EiB");
}

TEST(Units, spans_are_read_with_their_unit_or_in_seconds) {
  EXPECT_EQ(parse_span("30s"), milliseconds{30'000});
  EXPECT_EQ(parse_span("250ms"), milliseconds{250});
  EXPECT_EQ(parse_span("5m"), milliseconds{300'000});
  EXPECT_EQ(parse_span("1 h"), milliseconds{3'600'000});
  EXPECT_EQ(parse_span("1.5"), milliseconds{1'500});
  EXPECT_EQ(parse_span("0"), milliseconds{0});
}

TEST(Units, what_is_no_span_is_refused) {
  for (const char* text : {"", "s", "-1s", "1.5ms", "1d", "1h30m", "18446744073709551615h", "2000000h"}) {
    EXPECT_THROW(parse_span(text), Error) << text;
  }
}

}  // namespace
}  // namespace penstock
