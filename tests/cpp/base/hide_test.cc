#include "penstock/base/hide.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

const std::vector<std::string> kSecrets{"wJalr/XUtn+FEMI=K7&x\"z", "hunter2", "hunter2-and-more"};

TEST(Hide, a_secret_is_found_in_every_spelling) {
  for (const char* spelt :
       {"wJalr/XUtn+FEMI=K7&x\"z", "wJalr%2FXUtn%2BFEMI%3DK7%26x%22z", "wJalr%2fXUtn%2bFEMI%3dK7%26x%22z",
        "wJalr/XUtn+FEMI=K7&amp;x&quot;z", "wJalr&#x2F;XUtn&#43;FEMI&#x3d;K7&#38;x&#34;z",
        R"(wJalr\/XUtn+FEMI=K7&x\"z)", R"(wJalr\u002fXUtn\u002BFEMI=K7\u0026x\"z)", "hunter2",
        "hunter2-and-more", "%68%75%6e%74%65%72%32"}) {
    EXPECT_EQ(hide(std::string{"<p>no: "} + spelt + ", go</p>", kSecrets), "<p>no: ***, go</p>") << spelt;
  }
}

TEST(Hide, a_secret_that_a_cut_meets_is_hidden_too) {
  const std::string secret = kSecrets[0];
  for (std::size_t cut = kShortestSecret; cut < secret.size(); ++cut) {
    EXPECT_EQ(hide("said " + secret.substr(0, cut), kSecrets), "said ***") << cut;
    EXPECT_EQ(hide("said " + secret.substr(0, cut) + "... then", kSecrets), "said ***... then") << cut;
  }
}

TEST(Hide, what_is_no_secret_stays) {
  for (const char* text : {"", "wJalr/XUtn+ and on", "hunte", "hunter3", "&#;&#x;&#99999999;", "100% of it",
                           "%", "%4", "\\", "\\u00", "&amp", "a...b"}) {
    EXPECT_EQ(hide(text, kSecrets), text);
    EXPECT_EQ(hide(text, {}), text);
  }
}

TEST(Hide, secrets_too_short_to_tell_are_not_looked_for) {
  const std::vector<std::string> secrets{"", "a", "yes", "12345"};
  EXPECT_EQ(hide("yes, a 12345", secrets), "yes, a 12345");
}

TEST(Hide, an_error_shows_it_nowhere) {
  auto cause = std::make_shared<Error>(Kind::lost, "first hunter2", Facts{.code = "c-hunter2"});
  const Error error = hide(Error{Kind::denied,
                                 "GET http://h/hunter2: hunter2",
                                 {.doing = "hunter2",
                                  .subject = "s3://b/hunter2",
                                  .status = 403,
                                  .code = "hunter2",
                                  .request_id = "hunter2",
                                  .host_id = "hunter2",
                                  .upload_id = "hunter2",
                                  .expected = "hunter2",
                                  .actual = "hunter2",
                                  .cause = cause}},
                           kSecrets);
  const Facts& facts = error.facts();
  for (const auto& text :
       {error.message(), facts.doing, facts.subject, facts.code, facts.request_id, facts.host_id,
        facts.upload_id, facts.expected, facts.actual, facts.cause->message(), facts.cause->facts().code}) {
    EXPECT_EQ(text.find("hunter2"), text.npos) << text;
    EXPECT_NE(text.find("***"), text.npos) << text;
  }
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(facts.status, 403);
  EXPECT_EQ(facts.cause->kind(), Kind::lost);
}

}  // namespace
}  // namespace penstock
