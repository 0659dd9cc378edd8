#include "penstock/s3/post_form.h"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "penstock/base/base64.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using Json = nlohmann::json;
using test::error_of;
using namespace std::chrono_literals;

class PostFormTest : public ::testing::Test {
 protected:
  PostForm form(const std::string& key, const PostOptions& options = {}) {
    return presign_post(*client, key, options, {});
  }
  // What the policy says of each name, and what it is the last word of: its expiry.
  static Json policy_of(const PostForm& form) {
    for (const auto& [name, value] : form.fields) {
      if (name == "policy") return Json::parse(decode_base64(value).value());
    }
    return nullptr;
  }
  static bool demands(const Json& policy, const Json& condition) {
    const Json& all = policy.at("conditions");
    return std::find(all.begin(), all.end(), condition) != all.end();
  }

  test::ScriptedBucket bucket;
  std::shared_ptr<Client> client = std::make_shared<Client>(bucket.config(test::quick_client()));
};

TEST_F(PostFormTest, EveryFieldIsDemandedAsItIsAndNothingIsSent) {
  const PostForm made = form(
      "in/a.csv",
      {.min_bytes = 1, .max_bytes = 1000, .content_type = "text/csv", .fields = {{"x-amz-meta-page", "7"}}});
  EXPECT_EQ(made.url, bucket.server().origin() + "/bucket");
  EXPECT_EQ(made.fields.front(), (std::pair<std::string, std::string>{"key", "in/a.csv"}));
  EXPECT_EQ(made.fields.back().first, "x-amz-signature");
  const Json policy = policy_of(made);
  EXPECT_TRUE(demands(policy, {{"bucket", "bucket"}}));
  EXPECT_TRUE(demands(policy, {"content-length-range", 1, 1000}));
  std::size_t fields = 0;
  for (const auto& [name, value] : made.fields) {
    if (name == "policy" || name == "x-amz-signature") continue;
    EXPECT_TRUE(demands(policy, {"eq", "$" + name, value})) << name;
    ++fields;
  }
  EXPECT_EQ(policy.at("conditions").size(), fields + 2) << "nothing more is demanded, and nothing less";
  EXPECT_TRUE(bucket.server().requests().empty());
}

TEST_F(PostFormTest, APrefixIsCompletedByTheNameOfTheFile) {
  const PostForm made = form("in/");
  EXPECT_EQ(made.fields.front().second, "in/${filename}");
  EXPECT_TRUE(demands(policy_of(made), {"starts-with", "$key", "in/"}));
}

TEST_F(PostFormTest, AnotherPolicyHasAnotherSignature) {
  const auto signature = [&](std::uint64_t most) {
    return form("k", {.max_bytes = most}).fields.back().second;
  };
  EXPECT_EQ(signature(1000).size(), 64u);
  EXPECT_NE(signature(1000), signature(1001));
}

TEST_F(PostFormTest, TemporaryKeysTakeTheirTokenAlong) {
  Config config = bucket.config(test::quick_client());
  config.credentials->given->session_token = "a token";
  const PostForm made = presign_post(*std::make_shared<Client>(config), "k", {}, {});
  EXPECT_TRUE(demands(policy_of(made), {"eq", "$x-amz-security-token", "a token"}));
}

TEST_F(PostFormTest, SizesThatNothingCanHaveAreRefused) {
  EXPECT_EQ(error_of([&] { form("k", {.min_bytes = 2, .max_bytes = 1}); }).kind(), Kind::refused);
}

TEST_F(PostFormTest, ItLivesForASecondToSevenDays) {
  for (const std::chrono::seconds span : {0s, -1s, std::chrono::seconds{7 * 24h} + 1s}) {
    EXPECT_EQ(error_of([&] { form("k", {.expires = span}); }).kind(), Kind::refused) << span.count();
  }
  EXPECT_FALSE(form("k", {.expires = 1s}).fields.empty());
  EXPECT_FALSE(form("k", {.expires = 7 * 24h}).fields.empty());
}

TEST_F(PostFormTest, FieldsOfItsOwnAndThoseThatAreNoHeaderAreRefused) {
  for (const char* name : {"key", "Policy", "CONTENT-TYPE", "x-amz-date", "file", "two words"}) {
    EXPECT_EQ(error_of([&] { form("k", {.fields = {{name, "v"}}}); }).kind(), Kind::refused) << name;
  }
  EXPECT_EQ(error_of([&] { form("k", {.fields = {{"acl", "a\r\nb"}}}); }).kind(), Kind::refused);
}

}  // namespace
}  // namespace penstock::s3
