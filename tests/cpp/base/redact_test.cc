#include "penstock/base/redact.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(RedactUrl, userinfo_query_and_fragment_are_gone) {
  EXPECT_EQ(redact_url("https://user:canary@host:8443/a/b.csv?X-Amz-Signature=canary#canary"),
            "https://host:8443/a/b.csv");
  EXPECT_EQ(redact_url("http://host"), "http://host");
  EXPECT_EQ(redact_url("https://host/a@b:c"), "https://host/a@b:c");
  EXPECT_EQ(redact_url("s3://bucket/key with space"), "s3://bucket/key with space");
}

TEST(RedactUrl, an_at_sign_inside_the_password_does_not_save_it) {
  EXPECT_EQ(redact_url("https://user:can@ary@host/a"), "https://host/a");
}

TEST(RedactUrl, what_would_forge_a_log_line_is_made_visible) {
  EXPECT_EQ(redact_url("http://h/a\r\nINFO all is well"), "http://h/a\\r\\nINFO all is well");
}

class Canary : public ::testing::TestWithParam<const char*> {};

TEST_P(Canary, is_not_printed_and_what_stands_around_it_is) {
  const std::string text = std::string{"before; "} + GetParam();
  const std::string shown = redact_text(text);
  EXPECT_EQ(shown.find("canary"), std::string::npos) << shown;
  EXPECT_NE(shown.find("***"), std::string::npos) << shown;
  EXPECT_TRUE(shown.starts_with("before; ")) << shown;
}

INSTANTIATE_TEST_SUITE_P(
    RedactText, Canary,
    ::testing::Values("Authorization: AWS4-HMAC-SHA256 Credential=canary/2026, Signature=canary",
                      "authorization: Bearer canary", "Proxy-Authorization: Basic canary", "Bearer canary",
                      "https://h/k?X-Amz-Signature=canary&x=1", "X-Amz-Credential=canary%2F2026",
                      "x-amz-security-token: canary", "X-Amz-Security-Token%3Dcanary%26x",
                      "AWS_SECRET_ACCESS_KEY=canary", "aws_session_token = canary",
                      "aws_access_key_id = canary", R"({"SecretAccessKey": "canary", "x": 1})",
                      R"({"SecretAccessKey" : "can\"canary"})", R"({\"SessionToken\": \"canary\"})",
                      "<AWSAccessKeyId>canary</AWSAccessKeyId>", "<SecretAccessKey>canary</SecretAccessKey>",
                      "Cookie: a=canary; b=canary", "Set-Cookie: a=canary; Path=/", "password=canary",
                      "client_secret='canary canary'", "https://user:canary@host/",
                      "redis://:canary@host:1/0", "api-key: canary",
                      "x-amz-server-side-encryption-customer-key: canary", "https://h/?sv=1&sig=canary"));

TEST(RedactText, the_value_ends_where_it_ends) {
  EXPECT_EQ(redact_text("a?X-Amz-Signature=canary&part=3 failed"), "a?X-Amz-Signature=***&part=3 failed");
  EXPECT_EQ(redact_text("Authorization: canary canary\nHost: h"), "Authorization: ***\\nHost: h");
  EXPECT_EQ(redact_text(R"({"Token":"canary","n":1})"), R"({"Token":***,"n":1})");
}

TEST(RedactText, ordinary_text_is_left_alone) {
  for (const char* text : {"GET https://host/a.csv: 404", "no such bucket \"data\"", "the secret of it",
                           "a token", "", "größer — 漢字 🙂", "Signature", "key=value"}) {
    EXPECT_EQ(redact_text(text), text);
  }
}

TEST(RedactText, controls_line_separators_and_direction_marks_are_made_visible) {
  EXPECT_EQ(redact_text("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(redact_text(std::string{"\0\x1b[31m\x7f", 7}), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(redact_text("\u0085\u2028\u202e\u2066\ufeff"), "\\u0085\\u2028\\u202e\\u2066\\ufeff");
}

TEST(RedactText, bytes_that_are_not_utf8_are_made_visible) {
  EXPECT_EQ(redact_text("a\xff"
                        "b"),
            "a\\xffb");
  EXPECT_EQ(redact_text("\xc3"), "\\xc3");                             // cut off
  EXPECT_EQ(redact_text("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(redact_text("\xe0\x80\x80"), "\\xe0\\x80\\x80");           // overlong
  EXPECT_EQ(redact_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(redact_text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
}

TEST(RedactText, a_long_text_is_cut_between_two_characters_and_says_so) {
  EXPECT_EQ(redact_text("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(redact_text("abcdefghijk", 10), "abcdefg...");
  EXPECT_EQ(redact_text("äöüäöüäöü", 10), "äöü...");
  EXPECT_EQ(redact_text("abcd🙂🙂", 10), "abcd...");
  EXPECT_EQ(redact_text("abc", 2), "..");
  EXPECT_EQ(redact_text("abc", 0), "");
}

TEST(RedactText, no_cut_is_longer_than_asked_or_ends_inside_a_character) {
  const std::string text = "aä漢🙂\n\x80 Ω" + std::string(40, 'x');
  for (std::size_t max = 0; max < 70; ++max) {
    const std::string shown = redact_text(text, max);
    EXPECT_LE(shown.size(), max);
    EXPECT_EQ(redact_text(shown, 200), shown) << "not whole characters at " << max;
  }
}

TEST(RedactText, a_secret_that_the_cut_meets_is_not_shown_in_part) {
  for (std::size_t max = 0; max < 40; ++max) {
    EXPECT_EQ(redact_text("X-Amz-Signature=canarycanarycanary", max).find("can"), std::string::npos) << max;
  }
}

TEST(Mask, shows_enough_to_recognise_a_long_key_and_nothing_of_a_short_one) {
  EXPECT_EQ(mask("AKIAIOSFODNN7EXAMPLE"), "AKIA***");
  EXPECT_EQ(mask("hunter2"), "***");
  EXPECT_EQ(mask(""), "***");
}

}  // namespace
}  // namespace penstock
