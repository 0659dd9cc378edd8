#include <gtest/gtest.h>

#include "penstock/aws/key_client.h"

#include "aws/sts_world.h"

namespace penstock::aws {
namespace {

using test::respond;
using test::script;

constexpr const char* kAction = "AssumeRoleWithWebIdentity";

struct World : StsWorld {
  World() {
    test::write_file(folder / "token", "canary.jwt.1\n");
    set("AWS_WEB_IDENTITY_TOKEN_FILE", folder / "token").set("AWS_ROLE_ARN", "arn:aws:iam::1:role/web");
  }
  World& refuses(int status, const std::string& code, const std::string& message = "no") {
    answers({respond(status, {}, sts_error(code, message))});
    return *this;
  }
};

TEST(WebIdentity, asks_unsigned_with_the_token_of_the_file) {
  World world;
  world.gives(kAction, {"WEB"});
  const auto keys = world.set("AWS_ROLE_SESSION_NAME", "job 7").found();
  EXPECT_EQ(keys.access_key_id, "WEB");
  EXPECT_EQ(keys.secret_access_key, "canary-WEB");
  EXPECT_EQ(keys.session_token, "canary-token-WEB");
  EXPECT_EQ(keys.expires, WallTime{std::chrono::seconds{1893553445}});
  const std::map<std::string, std::string> fields{{"Action", kAction},
                                                  {"Version", "2011-06-15"},
                                                  {"RoleArn", "arn:aws:iam::1:role/web"},
                                                  {"RoleSessionName", "job 7"},
                                                  {"WebIdentityToken", "canary.jwt.1"}};
  EXPECT_EQ(world.asked(), fields);
  const auto seen = world.server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_FALSE(seen.headers.has("authorization"));
}

TEST(WebIdentity, reads_the_file_anew_at_each_load) {
  World world;
  world.gives(kAction, {"ONE", "TWO"});
  world.found();
  test::write_file(world.folder / "token", "canary.jwt.2");
  EXPECT_EQ(world.found().access_key_id, "TWO");
  EXPECT_EQ(world.asked(1)["WebIdentityToken"], "canary.jwt.2");
  EXPECT_TRUE(world.asked(1)["RoleSessionName"].starts_with("penstock-"));
}

TEST(WebIdentity, a_named_profile_has_its_own_and_not_that_of_the_environment) {
  World world;
  test::write_file(world.folder / "other", "canary.jwt.other");
  world.config("[profile p]\nweb_identity_token_file = " + world.folder / "other" +
               "\nrole_arn = arn:profile\nrole_session_name = mine\n");
  world.gives(kAction, {"PROFILE"});
  world.profile("p").found();
  EXPECT_EQ(world.asked()["WebIdentityToken"], "canary.jwt.other");
  EXPECT_EQ(world.asked()["RoleArn"], "arn:profile");
  EXPECT_EQ(world.asked()["RoleSessionName"], "mine");
}

TEST(WebIdentity, comes_before_files_and_after_keys_of_the_environment) {
  World world;
  world.credentials("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n");
  world.gives(kAction, {"WEB"});
  EXPECT_EQ(world.found().access_key_id, "WEB");
  world.set("AWS_ACCESS_KEY_ID", "ENV").set("AWS_SECRET_ACCESS_KEY", "s");
  EXPECT_EQ(world.found().access_key_id, "ENV");
}

TEST(WebIdentity, a_file_without_a_role_is_denied_by_name) {
  World world;
  const auto error = world.set("AWS_ROLE_ARN", "").failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("AWS_ROLE_ARN"), std::string::npos);
}

TEST(WebIdentity, a_file_that_is_missing_empty_or_too_large_is_an_error_naming_it) {
  World world;
  const auto path = world.folder / "token";
  for (const auto& text : {std::string{}, std::string{" \n"}, std::string(30'000, 'c')}) {
    test::write_file(path, text);
    EXPECT_NE(world.failure().message().find(path), std::string::npos) << text.size();
  }
  std::filesystem::remove(path);
  EXPECT_EQ(world.failure().kind(), Kind::denied);
  EXPECT_NE(world.failure().message().find(path), std::string::npos);
  EXPECT_TRUE(world.server.requests().empty());
}

TEST(WebIdentity, a_refusal_is_denied_whatever_its_code_and_shows_no_token) {
  for (const auto* code : {"AccessDenied", "InvalidIdentityToken", "ExpiredTokenException", "ValidationError",
                           "NoSuchKey", "PreconditionFailed"}) {
    World world;
    const auto error = world.refuses(400, code, "canary.jwt.1 is no token").failure();
    EXPECT_EQ(error.kind(), Kind::denied) << code;
    EXPECT_EQ(error.facts().code, "");
    ASSERT_TRUE(error.facts().cause);
    EXPECT_EQ(error.facts().cause->facts().code, code);
    EXPECT_FALSE(shows_secret(error)) << error.message();
    EXPECT_NE(error.message().find("is no token"), std::string::npos) << error.message();
  }
}

TEST(WebIdentity, a_service_that_is_down_is_lost_after_three_tries) {
  World world;
  EXPECT_EQ(world.refuses(503, "ServiceUnavailable").failure().kind(), Kind::lost);
  EXPECT_EQ(world.server.requests().size(), 3u);
  World provider;
  EXPECT_EQ(provider.refuses(400, "IDPCommunicationError").failure().kind(), Kind::lost);
  EXPECT_EQ(provider.server.requests().size(), 3u);
  World throttled;
  throttled.answers(
      {respond(400, {}, sts_error("Throttling", "slow")), respond(200, {}, sts_answer(kAction, "WEB"))});
  EXPECT_EQ(throttled.found().access_key_id, "WEB");
}

TEST(WebIdentity, an_answer_that_does_not_fit_is_denied_and_quoted_nowhere) {
  const auto whole = sts_answer(kAction, "WEB");
  std::string eternal = whole;
  eternal.replace(eternal.find("2030-01-02"), 10, "canarynone");
  for (const auto& answer : {std::string{}, std::string{"canary"}, std::string{"{\"canary\": 1}"},
                             whole.substr(0, whole.size() / 2), sts_answer("AssumeRole", "canary"),
                             sts_answer(kAction, ""), eternal, whole + std::string(70'000, ' ')}) {
    World world;
    world.answers({respond(200, {}, answer)});
    const auto error = world.failure();
    EXPECT_EQ(error.kind(), Kind::denied) << answer.substr(0, 80);
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
}

TEST(KeyService, is_that_of_the_region_and_its_partition) {
  ChainWorld world;
  const auto url = [&](const char* region) { return key_service_url(world.inputs, "sts", "sts", region); };
  EXPECT_EQ(url("eu-west-2"), "https://sts.eu-west-2.amazonaws.com");
  EXPECT_EQ(url("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
  for (const auto* none : {"", "x/y", "x@evil.example", "EU"})
    EXPECT_EQ(test::error_of([&] { url(none); }).kind(), Kind::refused) << none;
}

}  // namespace
}  // namespace penstock::aws
