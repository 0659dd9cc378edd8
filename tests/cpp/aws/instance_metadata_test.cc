#include <gtest/gtest.h>

#include "aws/chain_world.h"
#include "support/scripted_server.h"

namespace penstock::aws {
namespace {

using test::respond;
using test::script;

constexpr const char* kToken = "/latest/api/token";
constexpr const char* kRoles = "/latest/meta-data/iam/security-credentials/";
constexpr const char* kKeys =
    R"({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2029-01-02T03:04:05Z", "AccessKeyId": "IMDS",
        "SecretAccessKey": "canary-secret", "Token": "canary-token", "Expiration": "2030-01-02T03:04:05Z"})";

struct World : ChainWorld {
  test::ScriptedServer server;

  World() {
    set("AWS_EC2_METADATA_DISABLED", "false").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.origin() + "/");
    server.on(kToken, respond(200, {}, "canary-session"));
    server.on(kRoles, respond(200, {}, "web+role@x\n"));
    keys(respond(200, {}, kKeys));
  }
  World& keys(test::Script one) {
    server.on(std::string{kRoles} + "web%2Brole%40x", std::move(one));
    return *this;
  }
  World& answers(const char* path, test::Script one) {
    server.on(path, std::move(one));
    return *this;
  }
};

TEST(InstanceMetadata, gives_the_keys_of_its_role_by_version_2) {
  World world;
  const auto keys = world.found();
  EXPECT_EQ(keys.access_key_id, "IMDS");
  EXPECT_EQ(keys.session_token, "canary-token");
  EXPECT_EQ(keys.expires, WallTime{std::chrono::seconds{1893553445}});
  EXPECT_TRUE(keys.outlive_expiry);
  const auto seen = world.server.requests();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].method, "PUT");
  EXPECT_EQ(seen[0].headers.get("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  for (int i : {1, 2}) {
    EXPECT_EQ(seen.at(i).method, "GET");
    EXPECT_EQ(seen.at(i).headers.get("x-aws-ec2-metadata-token"), "canary-session");
  }
}

TEST(InstanceMetadata, is_not_asked_when_disabled) {
  World world;
  EXPECT_EQ(world.set("AWS_EC2_METADATA_DISABLED", "TRUE").failure().kind(), Kind::denied);
  EXPECT_TRUE(world.server.requests().empty());
}

TEST(InstanceMetadata, a_silent_put_names_the_hop_limit_and_where_else_was_looked) {
  World world;
  const auto error = world.answers(kToken, script().stall()).failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("hop limit"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("/.aws/credentials"), std::string::npos) << error.message();
  EXPECT_EQ(world.server.requests().size(), 2u);
}

TEST(InstanceMetadata, version_1_is_never_asked) {
  for (const int status : {400, 403, 404, 405}) {
    World world;
    EXPECT_EQ(world.answers(kToken, respond(status)).failure().kind(), Kind::denied) << status;
    EXPECT_EQ(world.server.requests().size(), 1u);
  }
}

TEST(InstanceMetadata, is_tried_twice_or_as_often_as_the_environment_says) {
  World world;
  EXPECT_EQ(world.answers(kToken, respond(503)).failure().kind(), Kind::lost);
  EXPECT_EQ(world.server.requests().size(), 2u);
  World more;
  more.set("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "4");
  more.answers(kToken, respond(503)).failure();
  EXPECT_EQ(more.server.requests().size(), 4u);
}

TEST(InstanceMetadata, numbers_that_are_none_are_refused_by_name) {
  for (const auto* bad : {"0", "-1", "1.5", "x", "999999999999999999999"}) {
    World world;
    const auto error = world.set("AWS_METADATA_SERVICE_TIMEOUT", bad).failure();
    EXPECT_EQ(error.kind(), Kind::refused) << bad;
    EXPECT_NE(error.message().find("AWS_METADATA_SERVICE_TIMEOUT"), std::string::npos);
  }
}

TEST(InstanceMetadata, an_instance_without_a_role_has_no_credentials) {
  World world;
  const auto error = world.answers(kRoles, respond(404)).failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("no role"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("looked at"), std::string::npos) << error.message();
}

TEST(InstanceMetadata, a_200_that_is_no_success_is_denied_by_its_code) {
  World world;
  const auto error =
      world.keys(respond(200, {}, R"({"Code": "AssumeRoleUnauthorizedAccess", "Message": "no trust"})"))
          .failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("AssumeRoleUnauthorizedAccess"), std::string::npos) << error.message();
}

TEST(InstanceMetadata, an_answer_that_does_not_fit_is_denied_and_quoted_nowhere) {
  for (const auto& answer :
       {std::string{}, std::string{"canary"}, std::string{R"({"Code": "Success"})"},
        std::string{R"({"Code": 1, "AccessKeyId": "canary"})"}, std::string(70'000, 'c') + "canary"}) {
    World world;
    const auto error = world.keys(respond(200, {}, answer)).failure();
    EXPECT_EQ(error.kind(), Kind::denied) << answer.substr(0, 60);
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
  World nameless;
  EXPECT_EQ(nameless.answers(kRoles, respond(200, {}, "\n")).failure().kind(), Kind::denied);
  World endless;
  EXPECT_EQ(endless.answers(kRoles, respond(200, {}, std::string(1000, 'r'))).failure().kind(), Kind::denied);
}

TEST(InstanceMetadata, its_token_is_shown_nowhere) {
  World world;
  world.keys(respond(403, {}, R"({"code": "Bad", "message": "what is canary-session?"})"));
  EXPECT_FALSE(shows_secret(world.failure()));
  World broken;
  broken.answers(kToken, respond(200, {}, "canary\r\nX-Evil: 1"));
  EXPECT_FALSE(shows_secret(broken.failure()));
}

TEST(InstanceMetadata, where_it_is_may_stand_in_the_profile) {
  World world;
  world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
  world.config("[default]\nec2_metadata_service_endpoint = " + world.server.origin() + "\n");
  EXPECT_EQ(world.found().access_key_id, "IMDS");
}

}  // namespace
}  // namespace penstock::aws
