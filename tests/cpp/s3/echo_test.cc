// Secrets of ours that a server says back.
#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::Reply;
using test::ScriptedBucket;

constexpr std::string_view kSecretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARYKEY=";
constexpr std::string_view kSessionToken = "FwoGZXIvYXdzEJr//////////wEaDCANARYTOKEN+/==";

class EchoTest : public ::testing::Test {
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

  ScriptedBucket bucket;
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
  const std::vector<std::string> wanted{"a"};
  expect_hidden(echoed->remove_many(wanted).errors.at("a"));
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return Reply{200, {}, error_xml("AccessDenied", "<Message>" + std::string{kSecretKey} + "</Message>")};
  };
  expect_hidden(error_of([&] { echoed->put("k", as_bytes(std::string(6 << 20, 'x'))); }));
}

}  // namespace
}  // namespace penstock::s3
