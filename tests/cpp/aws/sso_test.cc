#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "penstock/aws/dates.h"
#include "penstock/aws/digest.h"

#include "aws/chain_world.h"
#include "support/scripted_server.h"

namespace penstock::aws {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::respond;
using test::script;

const WallTime kNow{seconds{1'800'000'000}};
constexpr const char* kUrl = "https://corp.awsapps.example/start";
constexpr const char* kKeys =
    R"({"roleCredentials": {"accessKeyId": "SSO", "secretAccessKey": "canary-secret",
        "sessionToken": "canary-session", "expiration": 1893553445999}})";
constexpr const char* kProfile =
    "[profile p]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = dev/ops\n";
constexpr const char* kSession =
    "[sso-session corp]\nsso_region = eu-west-2\nsso_start_url = https://corp.awsapps.example/start\n";

// Portal and token service on loopback, and a token that a login left.
struct World : ChainWorld {
  test::ScriptedServer server;
  std::string path = folder / ".aws/sso/cache/" + hex_sha1("corp") + ".json";
  nlohmann::json token{{"startUrl", kUrl},
                       {"region", "eu-west-2"},
                       {"accessToken", "canary-access"},
                       {"expiresAt", iso8601(kNow + hours{2})}};

  World() {
    std::filesystem::create_directories(folder / ".aws/sso/cache");
    set("AWS_ENDPOINT_URL_SSO", server.origin()).set("AWS_ENDPOINT_URL_SSO_OIDC", server.origin());
    parts.web.clock = std::make_shared<ManualClock>(kNow);
    profile("p").config(std::string{kProfile} + kSession);
    server.on("/federation/credentials", respond(200, {}, kKeys));
    write();
  }
  void write() const { test::write_file(path, token.dump()); }
  World& ends(std::chrono::nanoseconds life) {
    token["expiresAt"] = iso8601(kNow + std::chrono::duration_cast<WallTime::duration>(life));
    write();
    return *this;
  }
  World& renewable() {
    token.update({{"refreshToken", "canary-refresh"},
                  {"clientId", "client-1"},
                  {"clientSecret", "canary-client"},
                  {"registrationExpiresAt", iso8601(kNow + hours{24})}});
    write();
    return *this;
  }
  World& renews(test::Script one) {
    server.on("/token", std::move(one));
    return *this;
  }
  nlohmann::json kept() const { return nlohmann::json::parse(test::read_file(path)); }
  std::string bearer(std::size_t number = 0) const {
    return std::string{
        server.requests("/federation/credentials").at(number).headers.get("x-amz-sso_bearer_token")};
  }
};

constexpr const char* kRenewed =
    R"({"accessToken": "canary-new", "expiresIn": 28800, "refreshToken": "canary-next", "tokenType": "Bearer"})";

TEST(Sso, gives_the_keys_of_account_and_role_for_the_token_of_the_login) {
  const World world;
  const auto keys = world.found();
  EXPECT_EQ(keys.access_key_id, "SSO");
  EXPECT_EQ(keys.secret_access_key, "canary-secret");
  EXPECT_EQ(keys.session_token, "canary-session");
  EXPECT_EQ(keys.expires, WallTime{seconds{1893553445}});
  EXPECT_EQ(world.server.requests().at(0).target,
            "/federation/credentials?role_name=dev%2Fops&account_id=123");
  EXPECT_EQ(world.bearer(), "canary-access");
  EXPECT_FALSE(world.server.requests().at(0).headers.has("authorization"));
}

TEST(Sso, without_a_session_the_file_is_named_after_the_start_url) {
  World world;
  world.config(std::string{"[profile p]\nsso_account_id = 123\nsso_role_name = r\nsso_region = eu-west-2\n"} +
               "sso_start_url = " + kUrl + "\n");
  EXPECT_EQ(world.failure().kind(), Kind::denied);
  world.path = world.folder / ".aws/sso/cache/" + hex_sha1(kUrl) + ".json";
  world.write();
  EXPECT_EQ(world.found().access_key_id, "SSO");
}

TEST(Sso, what_the_profile_lacks_or_contradicts_is_refused_by_name) {
  for (const auto& [files, named] : std::initializer_list<std::pair<std::string, const char*>>{
           {kProfile, "sso_session = corp"},
           {std::string{kProfile} + "[sso-session corp]\nsso_region = eu-west-2\n", "sso_start_url"},
           {std::string{kProfile} + "[sso-session corp]\nsso_start_url = https://x\n", "sso_region"},
           {std::string{kProfile} + "sso_region = us-east-1\n" + kSession, "another sso_region"},
           {std::string{"[profile p]\nsso_session = corp\nsso_account_id = 1\n"} + kSession, "sso_role_name"},
           {std::string{"[profile p]\nsso_session = corp\nsso_role_name = r\n"} + kSession, "sso_account_id"},
       }) {
    World world;
    const auto error = world.config(files).failure();
    EXPECT_EQ(error.kind(), Kind::refused) << files;
    EXPECT_NE(error.message().find(named), std::string::npos) << error.message();
    EXPECT_TRUE(world.server.requests().empty());
  }
}

TEST(Sso, a_session_alone_is_meant_for_other_ends) {
  World world;
  world.config(std::string{"[profile p]\nsso_session = corp\naws_access_key_id = K\n"} +
               "aws_secret_access_key = s\n" + kSession);
  EXPECT_EQ(world.found().access_key_id, "K");
}

TEST(Sso, a_token_that_is_missing_malformed_or_ended_says_how_to_log_in) {
  World world;
  for (const auto* text : {"", "canary", "[]", "{}", R"({"accessToken": "canary"})",
                           R"({"accessToken": "canary", "expiresAt": "canary"})",
                           R"({"accessToken": 7, "expiresAt": "2030-01-01T00:00:00Z"})"}) {
    test::write_file(world.path, text);
    const auto error = world.failure();
    EXPECT_EQ(error.kind(), Kind::denied) << text;
    EXPECT_NE(error.message().find("aws sso login --profile p"), std::string::npos) << error.message();
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
  world.ends(seconds{-1});
  EXPECT_NE(world.failure().message().find("has ended"), std::string::npos);
  std::filesystem::remove(world.path);
  EXPECT_NE(world.failure().message().find("aws sso login"), std::string::npos);
  EXPECT_TRUE(world.server.requests().empty());
}

TEST(Sso, a_token_that_ends_soon_is_renewed_and_written_back) {
  World world;
  const auto keys = world.renewable().ends(minutes{14}).renews(respond(200, {}, kRenewed)).found();
  EXPECT_EQ(keys.access_key_id, "SSO");
  EXPECT_EQ(world.bearer(), "canary-new");
  const auto asked = nlohmann::json::parse(world.server.requests("/token").at(0).body);
  const nlohmann::json expected{{"clientId", "client-1"},
                                {"clientSecret", "canary-client"},
                                {"grantType", "refresh_token"},
                                {"refreshToken", "canary-refresh"}};
  EXPECT_EQ(asked, expected);
  auto next = world.token;
  next.update({{"accessToken", "canary-new"},
               {"refreshToken", "canary-next"},
               {"expiresAt", iso8601(kNow + seconds{28'800})}});
  EXPECT_EQ(world.kept(), next);
  struct stat status{};
  ASSERT_EQ(stat(world.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(world.folder.names().back(), ".aws/sso/cache/" + hex_sha1("corp") + ".json");
  world.found();
  EXPECT_EQ(world.server.requests("/token").size(), 1u);
}

TEST(Sso, a_token_of_more_than_15_minutes_or_without_the_means_is_not_renewed) {
  World world;
  world.renewable().ends(minutes{15} + seconds{1}).renews(respond(200, {}, kRenewed)).found();
  World bare;
  bare.ends(minutes{1}).renews(respond(200, {}, kRenewed)).found();
  World ended;
  ended.renewable().ends(minutes{1}).token["registrationExpiresAt"] = iso8601(kNow - seconds{1});
  ended.write();
  ended.renews(respond(200, {}, kRenewed)).found();
  for (const auto* one : {&world, &bare, &ended}) {
    EXPECT_TRUE(one->server.requests("/token").empty());
    EXPECT_EQ(one->bearer(), "canary-access");
  }
}

TEST(Sso, where_renewing_fails_a_token_serves_until_it_ends_and_the_file_stays) {
  for (const auto& [status, body] : std::initializer_list<std::pair<int, std::string>>{
           {400, R"({"error": "invalid_grant", "error_description": "canary-refresh"})"},
           {503, ""},
           {200, "canary"},
           {200, "{}"},
           {200, R"({"accessToken": "canary", "expiresIn": -1})"},
           {200, R"({"accessToken": "canary", "expiresIn": "soon"})"},
           {200, R"({"accessToken": "canary", "expiresIn": 1e300})"}}) {
    World world;
    world.renewable().ends(minutes{1}).renews(respond(status, {}, body)).found();
    EXPECT_EQ(world.bearer(), "canary-access") << body;
    EXPECT_EQ(world.kept(), world.token);
    const auto error = world.ends(seconds{-1}).failure();
    EXPECT_EQ(error.kind(), status == 503 ? Kind::lost : Kind::denied) << body;
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
}

TEST(Sso, a_token_the_portal_refuses_says_how_to_log_in) {
  World world;
  world.server.on("/federation/credentials",
                  respond(401, {{"x-amzn-ErrorType", "UnauthorizedException"}},
                          R"({"message": "Session token not found or invalid: canary-access"})"));
  const auto error = world.failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("aws sso login --profile p"), std::string::npos) << error.message();
  EXPECT_FALSE(shows_secret(error)) << error.message();
}

TEST(Sso, an_answer_that_does_not_fit_is_denied_and_quoted_nowhere) {
  for (const auto& answer :
       {std::string{}, std::string{"canary"}, std::string{"{}"},
        std::string{R"({"roleCredentials": "canary"})"},
        std::string{R"({"roleCredentials": {"accessKeyId": "canary"}})"},
        std::string{
            R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "canary", "expiration": "x"}})"},
        std::string{R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "canary"}})"},
        std::string(70'000, 'c')}) {
    World world;
    world.server.on("/federation/credentials", respond(200, {}, answer));
    const auto error = world.failure();
    EXPECT_EQ(error.kind(), Kind::denied) << answer.substr(0, 60);
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
}

}  // namespace
}  // namespace penstock::aws
