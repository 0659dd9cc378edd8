#include "penstock/s3/reader.h"

#include <gtest/gtest.h>

#include "penstock/aws/dates.h"
#include "penstock/http/http_date.h"
#include "penstock/s3/s3_store.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"
#include "support/read_all.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::read_all;
using test::Reply;
using test::ScriptedBucket;

class ReadTest : public ::testing::Test {
 protected:
  void get_says(Reply reply, int times = 1) {
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "GetObject" || asked.nth > times) return std::nullopt;
      return reply;
    };
  }

  ScriptedBucket bucket;
  S3Store store{bucket.config(test::quick_client())};
};

constexpr const char* kWrongCrc = "AAAAAA==";  // of nothing

TEST_F(ReadTest, AWrongChecksumOfASmallObjectIsAskedForOnceMore) {
  bucket.put("k", {"hello", 5, "\"e\"", {}});
  get_says({200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc32", kWrongCrc}}, "hello"});
  EXPECT_EQ(read_all(*store.get("k")), "hello");
  EXPECT_EQ(bucket.asked("GetObject").size(), 2u);
}

TEST_F(ReadTest, AWrongChecksumTwiceIsCorruptBeforeAByte) {
  get_says({200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc32", kWrongCrc}}, "hello"}, 9);
  const Error error = error_of([&] { store.get("k"); });
  EXPECT_EQ(error.kind(), Kind::corrupt);
  EXPECT_EQ(error.facts().side, Side::source);
  EXPECT_NE(error.facts().expected, error.facts().actual);
}

TEST_F(ReadTest, AWrongChecksumOfALargeObjectIsCorruptInsteadOfTheEnd) {
  get_says({200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc32", kWrongCrc}}, std::string(300'000, 'x')}, 9);
  auto object = store.get("k");
  EXPECT_EQ(error_of([&] { read_all(*object); }).kind(), Kind::corrupt);
}

TEST_F(ReadTest, LyingRangesAreCorruptBeforeAByte) {
  const store::ReadOptions middle{.range = store::Range{.first = 1, .last = 3}};
  const Reply lies[] = {
      {206, {{"ETag", "\"e\""}}, "ell"},
      {206, {{"Content-Range", "bytes 1-3/5"}}, "ell"},
      {206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 0-2/5"}}, "hel"},
      {206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 1-4/5"}}, "ello"},
      {200, {{"ETag", "\"e\""}}, "hello"},
  };
  for (const Reply& lie : lies) {
    get_says(lie, 99);
    EXPECT_EQ(error_of([&] { store.get("k", middle); }).kind(), Kind::corrupt);
  }
}

TEST_F(ReadTest, ARangeThatIsTheWholeIsCheckedAsTheWhole) {
  get_says({206,
            {{"ETag", "\"e\""}, {"Content-Range", "bytes 0-4/5"}, {"x-amz-checksum-crc32", kWrongCrc}},
            "hello"},
           9);
  EXPECT_EQ(error_of([&] { read_all(*store.get("k", {.range = store::Range{.first = 0}})); }).kind(),
            Kind::corrupt);
}

TEST_F(ReadTest, MissingIsMissingWithAndWithoutABody) {
  EXPECT_EQ(error_of([&] { store.get("none"); }).facts().code, "NoSuchKey");
  get_says({404}, 99);
  EXPECT_EQ(error_of([&] { store.get("none"); }).kind(), Kind::missing);
  EXPECT_EQ(store.find("none"), std::nullopt);
}

TEST_F(ReadTest, AWrongRegionIsMendedOnceAndRemembered) {
  bucket.put("k", {"hello", 5, "\"e\"", {}});
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    const std::string_view signature = asked.request.headers.get("authorization");
    if (signature.find("/eu-west-1/s3/") != signature.npos) return std::nullopt;
    return Reply{301, {{"x-amz-bucket-region", "eu-west-1"}}};
  };
  EXPECT_TRUE(store.exists("k"));
  EXPECT_TRUE(store.exists("k"));
  EXPECT_EQ(bucket.asked("HeadObject").size(), 3u);
}

TEST_F(ReadTest, WhatCannotBeARegionIsNotBelieved) {
  bucket.put("k", {"hello", 5, "\"e\"", {}});
  for (const char* region : {"evil.example", "EU", "a/b", "x@evil", "abcdefghijklmnopqrstuvwxyz-01234567"}) {
    bucket.instead = [=](const Asked&) { return Reply{301, {{"x-amz-bucket-region", region}}}; };
    const std::size_t before = bucket.asked("HeadObject").size();
    EXPECT_EQ(error_of([&] { store.exists("k"); }).facts().status, 301) << region;
    EXPECT_EQ(bucket.asked("HeadObject").size(), before + 1) << region;
  }
  bucket.instead = nullptr;
  EXPECT_TRUE(store.exists("k"));
  const auto signature = std::string{bucket.asked("HeadObject").back().request.headers.get("authorization")};
  EXPECT_EQ(signature.find("/abc"), std::string::npos) << signature;
}

TEST_F(ReadTest, AnETagIsOpaqueAndGoesBackVerbatim) {
  bucket.put("k", {"hello", 5, "unquoted-word", {}});
  const auto object = store.get("k", {.if_match = "unquoted-word"});
  EXPECT_EQ(object->meta().etag, "unquoted-word");
  EXPECT_EQ(bucket.asked("GetObject").at(0).request.headers.get("if-match"), "unquoted-word");
}

// A server whose clock is a day off, and that says so as S3 does: in the body, or to a HEAD in Date alone.
TEST_F(ReadTest, AClockADayOffIsMendedInOneRetryAndRemembered) {
  for (const auto off : {std::chrono::hours{24}, std::chrono::hours{-24}}) {
    ScriptedBucket skewed;
    skewed.put("k", {"hello", 5, "\"e\"", {}});
    skewed.instead = [&](const Asked& asked) -> std::optional<Reply> {
      const WallTime there = std::chrono::system_clock::now() + off;
      const auto signed_at = aws::parse_iso8601(asked.request.headers.get("x-amz-date"));
      if (signed_at && std::chrono::abs(there - *signed_at) < std::chrono::minutes{15}) return std::nullopt;
      if (asked.verb == "HeadObject") return Reply{403, {{"Date", http::http_date(there)}}};
      return Reply{
          403,
          {},
          error_xml("RequestTimeTooSkewed", "<ServerTime>" + aws::amz_date(there) + "</ServerTime>")};
    };
    for (const bool by_date : {false, true}) {
      S3Store far{skewed.config(test::quick_client())};
      const std::size_t before = skewed.server().requests().size();
      if (by_date) {
        EXPECT_TRUE(far.exists("k"));
      }
      EXPECT_EQ(read_all(*far.get("k")), "hello");
      EXPECT_TRUE(far.exists("k"));
      EXPECT_EQ(skewed.server().requests().size() - before, by_date ? 4u : 3u);
      EXPECT_EQ(far.client().statistics().skew_corrections, 1u);
    }
  }
}

TEST_F(ReadTest, AHeadThatIsLateIsAskedForAgain) {
  bucket.server().on("/bucket/k",
                     {test::script().read_body().stall(), test::respond(200, {{"ETag", "\"e\""}}, "hello")});
  http::ClientOptions impatient;
  impatient.first_byte = std::chrono::milliseconds{300};
  S3Store store_of_it{bucket.config(test::quick_client(impatient))};
  EXPECT_EQ(read_all(*store_of_it.get("k")), "hello");
  EXPECT_EQ(bucket.server().requests("/bucket/k").size(), 2u);
}

TEST_F(ReadTest, ABodyThatIsCutGoesOnUnderItsETag) {
  constexpr std::uint64_t kSize = 2'000'000;
  bucket.server().on("/bucket/k", {test::script().serve({.size = kSize, .reset_after = 700'000}),
                                   test::script().serve({.size = kSize})});
  EXPECT_TRUE(read_all(*store.get("k")) == test::pattern(0, kSize));
  const auto asked = bucket.server().requests("/bucket/k");
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].headers.get("if-match"), "\"first\"");
  EXPECT_TRUE(asked[1].headers.get("range").starts_with("bytes="));
}

TEST_F(ReadTest, ABodyShorterThanItsLengthIsNeverAnEnd) {
  const auto cut = test::script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort").close();
  bucket.server().on("/bucket/k", cut);
  const Error error = error_of([&] { read_all(*store.get("k")); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().side, Side::source);
}

TEST_F(ReadTest, ADenialKeepsCodeAndRequestId) {
  get_says({403, {{"x-amz-request-id", "R1"}}, error_xml("AccessDenied", std::string(1200, 'x'))}, 9);
  const Error error = error_of([&] { store.get("k"); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().code, "AccessDenied");
  EXPECT_EQ(error.facts().request_id, "R1");
  EXPECT_EQ(error.facts().subject, "s3://bucket/k");
  EXPECT_EQ(std::string{error.what()}.find("testsecret"), std::string::npos);
}

}  // namespace
}  // namespace penstock::s3
