#include "penstock/codecs/gunzip.h"

#include <gtest/gtest.h>

#include "penstock/base/units.h"
#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/gzip.h"
#include "support/random_bytes.h"
#include "support/stage_tests.h"

namespace penstock::codecs {
namespace {

using test::error_of;
using test::gzip;
using test::read_all;
using test::StageTest;

test::StageCase gunzip_case(const std::string& name, const std::string& output) {
  return {.name = name,
          .make = [](Source& inner) { return test::Stage{.source = std::make_unique<Gunzip>(inner)}; },
          .expected = [](const std::string& packed) { return test::gunzip_prefix(packed); },
          .packed = gzip,
          .output = output};
}

INSTANTIATE_TEST_SUITE_P(
    Gzip, StageTest,
    ::testing::Values(gunzip_case("Gunzip", "the quick brown fox jumps over the lazy dog"),
                      gunzip_case("GunzipOfRuns", std::string(500, 'x') + std::string(500, 'y'))),
    [](const auto& stage) { return stage.param.name; });

std::string gunzip(const std::string& packed, Gunzip::Options options = {}, std::size_t step = 64 * 1024) {
  MemorySource whole{as_bytes(packed)};
  SlowSource slow{whole, step};
  Gunzip stage{slow, options};
  return read_all(stage);
}

Error gunzip_error(const std::string& packed, Gunzip::Options options = {}) {
  return error_of([&] { gunzip(packed, options); });
}

TEST(Gunzip, members_are_one_stream_with_empty_ones_among_them) {
  const std::string packed = gzip("one ") + gzip("") + gzip("two");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, packed.size()})
    EXPECT_EQ(gunzip(packed, {}, step), "one two") << step;
}

TEST(Gunzip, a_stream_cut_at_any_byte_is_truncated_and_never_shorter) {
  const std::string packed = gzip("one ") + gzip("two"), first = gzip("one ");
  for (std::size_t cut = 0; cut < packed.size(); ++cut) {
    if (cut == first.size()) continue;  // whole as far as anyone can tell
    const Error error = gunzip_error(packed.substr(0, cut));
    EXPECT_EQ(error.kind(), Kind::corrupt) << cut;
    EXPECT_FALSE(error.facts().code.empty()) << cut;
  }
}

TEST(Gunzip, every_flipped_bit_is_corrupt_or_changes_nothing) {
  const std::string text = "the quick brown fox jumps over the lazy dog, and back over the quick brown fox";
  const std::string packed = gzip(text);
  std::size_t corrupt = 0;
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string bad = packed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    try {
      EXPECT_EQ(gunzip(bad), text) << bit;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::corrupt) << bit;
      ++corrupt;
    }
  }
  // No sum covers the 10 bytes of the header, nor the bits that fill the last byte of the deflate stream.
  EXPECT_GE(corrupt, (packed.size() - 11) * 8);
}

TEST(Gunzip, zeros_after_the_last_member_pass) {
  EXPECT_EQ(gunzip(gzip("one") + std::string(100'000, '\0')), "one");
  EXPECT_EQ(gunzip(gzip("one") + std::string(9, '\0') + gzip("two")), "onetwo");
}

TEST(Gunzip, other_bytes_after_the_last_member_are_corrupt_unless_they_are_to_be_ignored) {
  for (const std::string_view tail : {"x", "\x1f", "\x1fz", "trailing garbage"}) {
    const std::string packed = gzip("one") + std::string{tail};
    EXPECT_EQ(gunzip_error(packed).facts().code, code::kTrailing) << tail;
    EXPECT_EQ(gunzip(packed, {.ignore_trailing = true}), "one") << tail;
  }
}

TEST(Gunzip, what_is_ignored_is_read_all_the_same_so_that_a_cut_source_is_seen) {
  const std::string packed = gzip("one") + std::string(1000, 'x');
  MemorySource whole{as_bytes(packed)};
  SlowSource cut{whole, 10};
  cut.break_at(900, Error{Kind::lost, "cut", {.code = "cut"}});
  Gunzip stage{cut, {.ignore_trailing = true}};
  EXPECT_EQ(error_of([&] { read_all(stage); }).facts().code, "cut");
}

TEST(Gunzip, what_is_no_gzip_is_corrupt_before_a_byte_comes_out) {
  EXPECT_EQ(gunzip_error("").facts().code, code::kTruncated);
  EXPECT_EQ(gunzip_error("hello, I am plain text").kind(), Kind::corrupt);
  EXPECT_EQ(gunzip_error(std::string(100, '\0')).kind(), Kind::corrupt);
}

TEST(Gunzip, flags_that_are_reserved_are_corrupt_in_any_member) {
  std::string packed = gzip("one");
  const std::size_t second = packed.size();
  packed += gzip("two");
  for (const std::size_t at : {std::size_t{3}, second + 3}) {
    for (const char flag : {'\x20', '\x40', '\x80'}) {
      std::string marked = packed;
      marked[at] |= flag;
      EXPECT_EQ(gunzip_error(marked).kind(), Kind::corrupt) << at;
    }
  }
}

TEST(Gunzip, limits_are_refused_at_the_byte_that_breaks_them) {
  const std::string packed = gzip(std::string(100'000, 'z'));
  EXPECT_EQ(gunzip(packed, {.limits = {.total_bytes = 100'000}}).size(), 100'000U);
  for (const Limits& limits : {Limits{.total_bytes = 99'999}, Limits{.ratio = 250, .ratio_from = 50'000}}) {
    const Error error = gunzip_error(packed, {.limits = limits});
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.facts().code, penstock::code::kTooLarge);
  }
}

TEST(Gunzip, a_ratio_of_zero_is_no_limit) {
  const std::string packed = gzip(std::string(100'000, 'z'));
  EXPECT_EQ(gunzip(packed, {.limits = {.ratio = 0, .ratio_from = 0}}).size(), 100'000U);
}

TEST(Gunzip, a_rewind_without_a_mark_is_a_mistake_of_the_program) {
  const std::string packed = gzip("one");
  MemorySource source{as_bytes(packed)};
  Gunzip stage{source};
  EXPECT_THROW(stage.rewind(), std::logic_error);
}

TEST(Gunzip, a_small_stream_of_zeros_is_no_attack) {
  EXPECT_EQ(gunzip(gzip(std::string(32 << 20, '\0'))).size(), 32_MiB);
}

}  // namespace
}  // namespace penstock::codecs
