#include "penstock/s3/list.h"

#include <gtest/gtest.h>

#include "penstock/aws/dates.h"
#include "penstock/http/http_date.h"
#include "penstock/s3/s3_store.h"
#include "penstock/streams/memory.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::Reply;
using test::ScriptedBucket;
using Keys = std::vector<std::string>;

std::string page(const Keys& keys, const std::string& more = {}) {
  std::string xml = "<ListBucketResult>" + more;
  for (const std::string& key : keys) {
    xml += "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>e</ETag></Contents>";
  }
  return xml + "</ListBucketResult>";
}

const std::string kMore = "<IsTruncated>true</IsTruncated>";

class ListTest : public ::testing::Test {
 protected:
  void pages(std::vector<std::string> bodies) {
    bucket.instead = [bodies = std::move(bodies)](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "ListObjects") return std::nullopt;
      return Reply{200, {}, bodies.at(std::min<std::size_t>(asked.nth - 1, bodies.size() - 1))};
    };
  }
  Keys keys(std::string_view prefix = {}, const store::ListOptions& options = {}) {
    Keys found;
    auto listing = store.list(prefix, options);
    while (auto meta = listing->next()) found.push_back(meta->key);
    return found;
  }

  ScriptedBucket bucket;
  S3Store store{bucket.config(test::quick_client())};
};

TEST_F(ListTest, GoesOnFromTokenToToken) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t+/1</NextContinuationToken>"), page({"c"})});
  EXPECT_EQ(keys(), (Keys{"a", "b", "c"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_EQ(asked.at(0).query.at("list-type"), "2");
  EXPECT_EQ(asked.at(0).query.at("encoding-type"), "url");
  EXPECT_EQ(asked.at(1).query.at("continuation-token"), "t+/1");
}

TEST_F(ListTest, IsLazy) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"), page({"c"})});
  auto listing = store.list();
  EXPECT_TRUE(bucket.asked("ListObjects").empty());
  listing->next();
  listing->next();
  EXPECT_EQ(bucket.asked("ListObjects").size(), 1u);
}

TEST_F(ListTest, ATruncatedPageWithoutATokenGoesOnAsVersionOne) {
  pages({page({"a", "b"}, kMore), page({"c", "d"}, kMore), page({"e"})});
  EXPECT_EQ(keys(), (Keys{"a", "b", "c", "d", "e"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_FALSE(asked.at(1).query.contains("list-type"));
  EXPECT_EQ(asked.at(1).query.at("marker"), "b");
  EXPECT_EQ(asked.at(2).query.at("marker"), "d");
}

TEST_F(ListTest, OneTokenForEverIsCorruptAndNoLoop) {
  pages({page({"a"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         page({"b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>")});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, RepeatedKeysAreCorrupt) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         page({"b", "c"}, kMore + "<NextContinuationToken>u</NextContinuationToken>")});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, NothingToGoOnFromIsCorrupt) {
  pages({page({}, kMore)});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, EncodedKeysAreDecodedAndRawOnesAreNot) {
  pages({page({"a%20b%2Bc"}, "<EncodingType>url</EncodingType>")});
  EXPECT_EQ(keys(), Keys{"a b+c"});
  pages({page({"a%20b+c"})});
  EXPECT_EQ(keys(), Keys{"a%20b+c"});
}

TEST_F(ListTest, ThePrefixOfTheStoreIsJoinedAndTakenOff) {
  Config config = bucket.config(test::quick_client());
  config.prefix = "raw/";
  S3Store rooted{config};
  pages({page({"raw/2026/a"})});
  auto listing = rooted.list("2026/", {.start_after = "2026/0"});
  EXPECT_EQ(listing->next()->key, "2026/a");
  const auto query = bucket.asked("ListObjects").at(0).query;
  EXPECT_EQ(query.at("prefix"), "raw/2026/");
  EXPECT_EQ(query.at("start-after"), "raw/2026/0");
  pages({page({"elsewhere/a"})});
  EXPECT_EQ(error_of([&] { rooted.list()->next(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, AMissingBucketIsMissingAlsoWithoutABody) {
  bucket.instead = [](const Asked&) -> std::optional<Reply> { return Reply{404}; };
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::missing);
}

class RemoveManyTest : public ListTest {};

TEST_F(RemoveManyTest, NoKeysNoRequest) {
  EXPECT_EQ(store.remove_many({}).removed, 0u);
  EXPECT_TRUE(bucket.server().requests().empty());
}

TEST_F(RemoveManyTest, AThousandARequestWithMd5) {
  Keys many;
  for (int i = 0; i < 2500; ++i) many.push_back("k" + std::to_string(i));
  EXPECT_EQ(store.remove_many(many).removed, 2500u);
  const auto asked = bucket.asked("DeleteObjects");
  ASSERT_EQ(asked.size(), 3u);
  for (const Asked& one : asked) EXPECT_EQ(one.request.headers.get("content-md5").size(), 24u);
}

TEST_F(RemoveManyTest, OnlyWhatMayWorkLaterIsSentAgain) {
  std::vector<std::string> bodies;
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    bodies.push_back(asked.request.body);
    if (asked.nth > 1) return std::nullopt;
    return Reply{200,
                 {},
                 "<DeleteResult><Error><Key>b</Key><Code>InternalError</Code></Error>"
                 "<Error><Key>c</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b", "c"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 2u);
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors.at("c").kind(), Kind::denied);
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_NE(bodies[1].find("<Key>b</Key>"), std::string::npos);
  EXPECT_EQ(bodies[1].find("<Key>a</Key>"), std::string::npos);
  EXPECT_EQ(bodies[1].find("<Key>c</Key>"), std::string::npos);
}

TEST_F(RemoveManyTest, ARequestThatFailsIsTheErrorOfItsKeys) {
  bucket.instead = [](const Asked&) -> std::optional<Reply> {
    return Reply{403, {}, error_xml("AccessDenied")};
  };
  const Keys wanted{"a", "b"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_EQ(report.errors.at("a").kind(), Kind::denied);
  EXPECT_EQ(report.errors.at("b").kind(), Kind::denied);
}

TEST_F(RemoveManyTest, AnAnswerAboutKeysThatWereNotAskedForIsCorruptAndNoneOfThemIsRemoved) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.nth > 1) return std::nullopt;
    return Reply{
        200, {}, "<DeleteResult><Error><Key>precious</Key><Code>InternalError</Code></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_EQ(report.errors.at("a").kind(), Kind::corrupt);
  EXPECT_EQ(report.errors.at("b").kind(), Kind::corrupt);
  EXPECT_EQ(bucket.asked("DeleteObjects").size(), 1u);
}

TEST_F(RemoveManyTest, WhatIsNotThereIsRemoved) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "DeleteObject") return Reply{404};
    return Reply{200, {}, "<DeleteResult><Error><Key>a</Key><Code>NoSuchKey</Code></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b", "c\x01"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 3u);
  EXPECT_TRUE(report.errors.empty());
}

TEST_F(RemoveManyTest, KeysThatXmlCannotCarryGoOneByOne) {
  const Keys wanted{"a", "b\x01", "\r\n", ""};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 3u);
  EXPECT_EQ(report.errors.at("").kind(), Kind::refused);
  ASSERT_EQ(bucket.asked("DeleteObject").size(), 1u);
  EXPECT_EQ(bucket.asked("DeleteObject").at(0).key, "b\x01");
}

class ReadTest : public ListTest {
 protected:
  static std::string read_all(Source& source) {
    std::string all, buffer(64 * 1024, '\0');
    while (const std::size_t count = source.read(std::as_writable_bytes(std::span{buffer})))
      all.append(buffer, 0, count);
    return all;
  }
  void get_says(Reply reply, int times = 1) {
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "GetObject" || asked.nth > times) return std::nullopt;
      return reply;
    };
  }
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

constexpr std::string_view kSecretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARYKEY=";
constexpr std::string_view kSessionToken = "FwoGZXIvYXdzEJr//////////wEaDCANARYTOKEN+/==";

class EchoTest : public ReadTest {
 protected:
  EchoTest() {
    Config config = bucket.config(test::quick_client());
    config.credentials->given = aws::Credentials{.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                                                 .secret_access_key = std::string{kSecretKey},
                                                 .session_token = std::string{kSessionToken}};
    echoed.emplace(config);
  }
  static std::string percent(std::string_view text) { return http::percent_encode(text, false); }
  static void expect_hidden(const Error& error) {
    for (const Error* one = &error; one; one = one->facts().cause.get()) {
      const Facts& facts = one->facts();
      for (const auto& text : {one->message(), facts.doing, facts.subject, facts.code, facts.request_id,
                               facts.host_id, facts.upload_id, facts.expected, facts.actual}) {
        EXPECT_EQ(text.find("CANARY"), text.npos) << text;
        EXPECT_EQ(text.find("wJalrX"), text.npos) << text;
        EXPECT_EQ(text.find("FwoGZX"), text.npos) << text;
      }
    }
  }
  std::optional<S3Store> echoed;
};

TEST_F(EchoTest, OurSecretsAreInNoErrorHoweverTheServerSaysThem) {
  const std::string key{kSecretKey}, token{kSessionToken};
  const std::string long_text(490, 'x');  // so that the message is cut inside the secret
  const auto xml = [](const std::string& said) {
    return "<Error><Code>InvalidToken</Code><Message>" + said + "</Message></Error>";
  };
  const Reply replies[] = {
      {400, {}, xml("you said " + key + " and " + token)},
      {400, {}, xml("you said " + percent(key) + " and " + percent(token))},
      {400, {}, xml(long_text + key)},
      {400, {}, "<Error><Code>" + key + "</Code><Message>no</Message></Error>"},
      {403, {{"x-amz-request-id", key}, {"x-amz-id-2", token}}, ""},
      {403, {{"x-amzn-errortype", token}}, ""},
      {400, {}, "<html><body>Bad Request: " + key + "<br/>" + token + "</body></html>"},
      {400, {}, "<html><body>x-key " + percent(key) + " wJalrXUtnFEMI&#x2F;K7MDENG&#43;bPxRfiCYCANARYKEY="},
      {400, {}, R"({"message": "wJalrXUtnFEMI\/K7MDENG+bPxRfiCYCANARYKEY="})"},
  };
  for (const Reply& reply : replies) {
    bucket.instead = [&](const Asked&) -> std::optional<Reply> { return reply; };
    expect_hidden(error_of([&] { echoed->get("k"); }));
    expect_hidden(error_of([&] { echoed->put("k", as_bytes("body")); }));
    expect_hidden(error_of([&] { echoed->list()->next(); }));
  }
}

TEST_F(EchoTest, TheAuthorizationThatWasSentIsInNoError) {
  std::string sent;
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    sent = asked.request.headers.get("authorization");
    const std::string signature = sent.substr(sent.rfind('=') + 1);
    return Reply{403, {}, "<html>header " + sent + " and " + signature + "</html>"};
  };
  const Error error = error_of([&] { echoed->get("k"); });
  const std::string signature = sent.substr(sent.rfind('=') + 1);
  ASSERT_EQ(signature.size(), 64u);
  EXPECT_EQ(error.message().find(signature), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("Signature=***"), std::string::npos) << error.message();
}

TEST_F(EchoTest, ErrorsInsideA200HideThemToo) {
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "DeleteObjects") return std::nullopt;
    return Reply{200,
                 {},
                 "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>" +
                     std::string{kSecretKey} + "</Message></Error></DeleteResult>"};
  };
  const Keys wanted{"a"};
  expect_hidden(echoed->remove_many(wanted).errors.at("a"));
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return Reply{200, {}, error_xml("AccessDenied", "<Message>" + std::string{kSecretKey} + "</Message>")};
  };
  expect_hidden(error_of([&] { echoed->put("k", as_bytes(std::string(6 << 20, 'x'))); }));
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

// Entries by delimiter; prefixes are marked.
class LevelTest : public ListTest {
 protected:
  static std::string level_page(const Keys& keys, const Keys& prefixes, const std::string& more = {}) {
    std::string rolled_up;
    for (const std::string& prefix : prefixes) {
      rolled_up += "<CommonPrefixes><Prefix>" + prefix + "</Prefix></CommonPrefixes>";
    }
    return page(keys, more + rolled_up);
  }
  Keys level(std::string_view prefix = {}) {
    Keys found;
    auto listing = store.list_with_delimiter(prefix, "/");
    while (auto meta = listing->next()) found.push_back(meta->key + (meta->is_prefix ? "*" : ""));
    return found;
  }
};

TEST_F(LevelTest, KeysAndPrefixesOfAPageComeInOneOrder) {
  pages({level_page({"a", "c", "d"}, {"b/", "c/", "e/"})});
  EXPECT_EQ(level(), (Keys{"a", "b/*", "c", "c/*", "d", "e/*"}));
  EXPECT_EQ(bucket.asked("ListObjects").at(0).query.at("delimiter"), "/");
}

TEST_F(LevelTest, APageOfPrefixesAloneIsAPage) {
  pages({level_page({}, {"a/", "b/"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         level_page({"c"}, {})});
  EXPECT_EQ(level(), (Keys{"a/*", "b/*", "c"}));
}

TEST_F(LevelTest, TruncatedWithoutATokenItGoesOnFromTheLastPrefix) {
  pages({level_page({"a"}, {"b/"}, kMore), level_page({}, {"c/"}, kMore + "<NextMarker>d/</NextMarker>"),
         level_page({"e"}, {})});
  EXPECT_EQ(level(), (Keys{"a", "b/*", "c/*", "e"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_EQ(asked.at(1).query.at("marker"), "b/");
  EXPECT_EQ(asked.at(1).query.at("delimiter"), "/");
  EXPECT_EQ(asked.at(2).query.at("marker"), "d/");
}

TEST_F(LevelTest, RepeatedPrefixesAndThoseOfElsewhereAreCorrupt) {
  pages({level_page({}, {"a/"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         level_page({}, {"a/"})});
  EXPECT_EQ(error_of([&] { level(); }).kind(), Kind::corrupt);
  pages({level_page({}, {"b/"})});
  EXPECT_EQ(error_of([&] { level("a"); }).kind(), Kind::corrupt);
}

}  // namespace
}  // namespace penstock::s3
