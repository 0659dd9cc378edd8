#include "penstock/aws/sign.h"

#include <gtest/gtest.h>

#include "penstock/aws/canonical.h"
#include "penstock/aws/dates.h"
#include "penstock/aws/digest.h"

#include "support/errors.h"

namespace penstock::aws {
namespace {

using std::chrono::seconds;
using test::error_of;

const WallTime kNow{seconds{1440938160}};  // 2015-08-30T12:36:00Z
const Credentials kKeys{.access_key_id = "AKIDEXAMPLE", .secret_access_key = "secret-canary"};
const Credentials kTemporary{.access_key_id = "ASIAEXAMPLE",
                             .secret_access_key = "secret-canary",
                             .session_token = "token+canary/=",
                             .expires = kNow + seconds{900}};

SignInput get(std::string url) {
  return {.url = std::move(url), .now = kNow};
}

std::string line_of(const std::string& canonical_request, std::size_t number) {
  std::size_t at = 0;
  for (; number > 0; --number) at = canonical_request.find('\n', at) + 1;
  return canonical_request.substr(at, canonical_request.find('\n', at) - at);
}

std::string signed_path(SignInput input) {
  return line_of(sign(input, kKeys).canonical_request, 1);
}

std::string signed_query(const std::string& query) {
  return line_of(sign(get("https://b.example/k?" + query), kKeys).canonical_request, 2);
}

std::string signed_names(const http::Headers& headers) {
  return canonical_headers(headers).names;
}

TEST(Sign, s3_path_is_signed_as_it_goes_on_the_wire) {
  for (const std::string path :
       {"/", "//a//b", "/a/./b", "/a/../b", "/a%20b%2Fc", "/%E1%88%B4", "/a+b", "/a%252B"})
    EXPECT_EQ(signed_path(get("https://b.example" + path)), path);
}

TEST(Sign, s3_url_with_what_cannot_stand_raw_is_encoded_before_it_is_signed) {
  auto input = get("https://b.example/a b\xe1\x88\xb4?p=\xc3\xa9 x");
  const auto out = sign(input, kKeys);
  EXPECT_EQ(out.url, "https://b.example/a%20b%E1%88%B4?p=%C3%A9%20x");
  EXPECT_EQ(line_of(out.canonical_request, 1), "/a%20b%E1%88%B4");
  EXPECT_EQ(line_of(out.canonical_request, 2), "p=%C3%A9%20x");
}

TEST(Sign, other_services_normalise_and_encode_the_path_once_more) {
  const std::pair<std::string, std::string> cases[] = {
      {"/a%20b", "/a%2520b"},
      {"/a/./b//c", "/a/b/c"},
      {"/a/../../b/", "/b/"},
      {"/a/..", "/"},
      {"", "/"},
      {"/x/@c/J%3D", "/x/%40c/J%253D"},
  };
  for (const auto& [path, want] : cases) {
    auto input = get("https://sts.example" + path);
    input.service = "sts";
    EXPECT_EQ(signed_path(input), want) << path;
  }
}

TEST(Sign, normalising_can_be_asked_for_and_forbidden) {
  auto input = get("https://b.example/a/../b");
  input.normalize = true;
  EXPECT_EQ(signed_path(input), "/b");
  input.service = "execute-api";
  input.normalize = false;
  EXPECT_EQ(signed_path(input), "/a/../b");
}

TEST(Sign, query_is_decoded_encoded_and_sorted_by_encoded_name_then_value) {
  EXPECT_EQ(signed_query("uploads"), "uploads=");
  EXPECT_EQ(signed_query("b=2&a=1&a=0"), "a=0&a=1&b=2");
  EXPECT_EQ(signed_query("a%2fb=%2F/"), "a%2Fb=%2F%2F");
  EXPECT_EQ(signed_query("plus=a+b"), "plus=a%2Bb");
  EXPECT_EQ(signed_query("ab=1&a%2Db=2&a=3&A=4"), "A=4&a=3&a-b=2&ab=1");
  EXPECT_EQ(signed_query("x=a=b&y=100%"), "x=a%3Db&y=100%25");
}

TEST(Sign, headers_that_hops_rewrite_are_not_signed) {
  http::Headers headers;
  for (const auto* name :
       {"Connection", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "User-Agent", "X-Amzn-Trace-Id", "Accept-Encoding", "Authorization"})
    headers.add(name, "x");
  headers.add("X-Other", "y");
  EXPECT_EQ(signed_names(headers), "x-other");
}

TEST(Sign, repeated_headers_join_in_order_and_white_space_collapses) {
  const auto out = canonical_headers({{"B", " two \t  words "}, {"a", "2"}, {"A", "1"}, {"c", ""}});
  EXPECT_EQ(out.lines, "a:2,1\nb:two words\nc:\n");
  EXPECT_EQ(out.names, "a;b;c");
}

TEST(Sign, host_is_what_the_client_sends) {
  const std::pair<std::string, std::string> cases[] = {
      {"https://B.Example/k", "b.example"},          {"https://b.example:443/k", "b.example"},
      {"http://b.example:80/k", "b.example"},        {"https://b.example:80/k", "b.example:80"},
      {"http://127.0.0.1:9000/k", "127.0.0.1:9000"}, {"http://[::1]:9000/k", "[::1]:9000"},
  };
  for (const auto& [url, host] : cases)
    EXPECT_EQ(line_of(sign(get(url), kKeys).canonical_request, 3), "host:" + host) << url;
}

TEST(Sign, s3_always_sends_the_payload_hash_and_others_only_if_given) {
  auto input = get("https://b.example/k");
  input.body = "hello";
  EXPECT_EQ(sign(input, kKeys).headers.get("x-amz-content-sha256"), hex_sha256("hello"));
  input.payload = "unsigned";
  EXPECT_EQ(sign(input, kKeys).headers.get("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  input.payload = std::string(64, 'a');
  EXPECT_EQ(sign(input, kKeys).headers.get("x-amz-content-sha256"), std::string(64, 'a'));
  input.service = "sqs";
  EXPECT_FALSE(sign(input, kKeys).headers.has("x-amz-content-sha256"));
  input.payload = "not a hash";
  EXPECT_EQ(error_of([&] { sign(input, kKeys); }).kind(), Kind::refused);
}

TEST(Sign, session_token_is_a_signed_header) {
  const auto out = sign(get("https://b.example/k"), kTemporary);
  EXPECT_EQ(out.headers.get("x-amz-security-token"), kTemporary.session_token);
  EXPECT_NE(out.canonical_request.find("x-amz-security-token:token+canary/=\n"), std::string::npos);
}

TEST(Sign, signing_again_replaces_the_former_signature) {
  const auto first = sign(get("https://b.example/k"), kTemporary);
  auto again = get(first.url);
  again.headers = first.headers;
  again.now = kNow + seconds{60};
  const auto second = sign(again, kKeys);
  EXPECT_EQ(second.headers.all("authorization").size(), 1u);
  EXPECT_EQ(second.headers.all("x-amz-date").size(), 1u);
  EXPECT_FALSE(second.headers.has("x-amz-security-token"));
  EXPECT_EQ(second.headers.get("x-amz-date"), "20150830T123700Z");
}

TEST(Sign, anonymous_requests_stay_unsigned_and_empty_keys_are_denied) {
  const auto out = sign(get("https://b.example/k"), {.anonymous = true});
  EXPECT_TRUE(out.headers.empty());
  EXPECT_EQ(out.signature, "");
  EXPECT_EQ(error_of([] { sign(get("https://b.example/k"), {}); }).kind(), Kind::denied);
}

TEST(Presign, life_is_1_second_to_7_days) {
  const auto input = get("https://b.example/k");
  for (long life : {0L, -1L, 604'801L})
    EXPECT_EQ(error_of([&] { presign(input, kKeys, seconds{life}); }).kind(), Kind::refused) << life;
  for (long life : {1L, 604'800L})
    EXPECT_NE(presign(input, kKeys, seconds{life}).find("X-Amz-Expires=" + std::to_string(life)),
              std::string::npos);
}

TEST(Presign, never_outlives_temporary_keys) {
  const auto input = get("https://b.example/k");
  EXPECT_NE(presign(input, kTemporary, seconds{900}), "");
  const auto error = error_of([&] { presign(input, kTemporary, seconds{901}); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_NE(error.message().find("900 s"), std::string::npos) << error.message();
}

TEST(Presign, payload_is_unsigned_for_s3_and_hashed_for_others) {
  auto input = get("https://b.example/k");
  input.body = "hello";
  EXPECT_TRUE(presigned(input, kKeys, seconds{60}).canonical_request.ends_with("\nUNSIGNED-PAYLOAD"));
  input.service = "sqs";
  EXPECT_TRUE(presigned(input, kKeys, seconds{60}).canonical_request.ends_with("\n" + hex_sha256("hello")));
}

TEST(Presign, token_is_a_query_field_that_is_signed) {
  const auto out = presigned(get("https://b.example/k?versionId=3"), kTemporary, seconds{60});
  const std::string field = "X-Amz-Security-Token=token%2Bcanary%2F%3D";
  EXPECT_NE(out.canonical_request.find(field), std::string::npos);
  EXPECT_NE(out.url.find(field), std::string::npos);
  EXPECT_TRUE(out.url.starts_with("https://b.example/k?versionId=3&X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
  EXPECT_TRUE(out.url.ends_with("&X-Amz-Signature=" + out.signature));
}

TEST(Presign, enforced_headers_are_signed_headers) {
  auto input = get("https://b.example/k");
  input.headers.add("Content-Type", "text/csv");
  EXPECT_NE(presign(input, kKeys, seconds{60}).find("X-Amz-SignedHeaders=content-type%3Bhost"),
            std::string::npos);
}

TEST(Presign, a_presigned_url_can_be_presigned_anew) {
  const auto once = presign(get("https://b.example/k?a=1"), kTemporary, seconds{60});
  EXPECT_EQ(presign(get(once), kKeys, seconds{60}),
            presign(get("https://b.example/k?a=1"), kKeys, seconds{60}));
}

TEST(Presign, anonymous_has_nothing_to_sign_with) {
  EXPECT_EQ(error_of([] { presign(get("https://b.example/k"), {.anonymous = true}, seconds{60}); }).kind(),
            Kind::refused);
}

TEST(SignErrors, hold_no_secret) {
  auto input = get("https://b.example/k?X-Amz-Signature=canary&X-Amz-Security-Token=canary");
  input.payload = "canary";
  for (const auto& error : {error_of([&] { sign(input, kTemporary); }),
                            error_of([&] { presign(input, kTemporary, seconds{10'000}); })}) {
    EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
    EXPECT_EQ(error.facts().subject.find("canary"), std::string::npos) << error.facts().subject;
  }
}

TEST(Dates, amz_date_and_its_reading_agree) {
  EXPECT_EQ(amz_date(kNow + std::chrono::milliseconds{999}), "20150830T123600Z");
  EXPECT_EQ(parse_iso8601("20150830T123600Z"), kNow);
}

TEST(Dates, iso8601_with_fraction_and_offset) {
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00Z"), kNow);
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00.123Z"), kNow);
  EXPECT_EQ(parse_iso8601("2015-08-30T14:36:00+02:00"), kNow);
  EXPECT_EQ(parse_iso8601("2015-08-30T07:06:00-0530"), kNow);
}

TEST(Dates, what_the_clock_cannot_hold_is_as_far_as_it_reaches) {
  constexpr seconds kReach{9'223'372'036};  // 2^63 ns
  for (const auto* text : {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2263-01-01T00:00:00Z"})
    EXPECT_EQ(parse_iso8601(text), WallTime{kReach}) << text;
  for (const auto* text : {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "1677-01-01T00:00:00Z"})
    EXPECT_EQ(parse_iso8601(text), WallTime{-kReach}) << text;
  EXPECT_EQ(parse_iso8601("2262-04-11T23:47:16Z"), WallTime{kReach});
  EXPECT_EQ(parse_iso8601("2262-04-11T23:47:15Z"), WallTime{kReach - seconds{1}});
}

TEST(Dates, what_is_not_a_time_is_none) {
  for (const auto* text :
       {"", "2015", "2015-08-30", "2015-08-30T12:36:00", "2015-02-30T12:36:00Z", "2015-08-30T25:00:00Z",
        "2015-08-30T12:36:00Z ", "2015-13-01T00:00:00Z", "2015-08-30T12:36:00.Z", "0x15-08-30T12:36:00Z",
        "2015-08-30T12:36:00+99:00", "20150830 T123600Z"})
    EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
}

}  // namespace
}  // namespace penstock::aws
