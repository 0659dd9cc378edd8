#include <gtest/gtest.h>

#include "penstock/http/http_date.h"

#include "aws/sts_world.h"

namespace penstock::aws {
namespace {

using test::respond;

constexpr const char* kAction = "AssumeRole";
constexpr const char* kBase =
    "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = canary-base\n";

std::string role(const std::string& name, const std::string& source, const std::string& rest = "") {
  return "[profile " + name + "]\nrole_arn = arn:" + name + "\nsource_profile = " + source + "\n" + rest;
}

std::string signer_of(const test::SeenRequest& seen) {
  const std::string header{seen.headers.get("authorization")};
  const auto from = header.find("Credential=") + 11;
  return header.substr(from, header.find('/', from) - from);
}

struct World : StsWorld {
  World() { profile("p"); }
  World& files(const std::string& config_text) {
    config(config_text);
    gives(kAction, {"ROLE"});
    return *this;
  }
  std::string signer(std::size_t number = 0) const { return signer_of(server.requests("/").at(number)); }
};

TEST(AssumeRole, asks_with_the_keys_of_its_source_and_all_that_the_profile_says) {
  World world;
  world.files(kBase +
              role("p", "base", "external_id = e-1\nrole_session_name = s 1\nduration_seconds = 1800\n"));
  const auto keys = world.set("AWS_REGION", "eu-west-2").found();
  EXPECT_EQ(keys.access_key_id, "ROLE");
  EXPECT_EQ(keys.secret_access_key, "canary-ROLE");
  EXPECT_EQ(keys.session_token, "canary-token-ROLE");
  EXPECT_EQ(keys.expires, WallTime{std::chrono::seconds{1893553445}});
  const std::map<std::string, std::string> fields{{"Action", kAction},         {"Version", "2011-06-15"},
                                                  {"RoleArn", "arn:p"},        {"RoleSessionName", "s 1"},
                                                  {"DurationSeconds", "1800"}, {"ExternalId", "e-1"}};
  EXPECT_EQ(world.asked(), fields);
  EXPECT_EQ(world.signer(), "BASE");
  EXPECT_NE(world.server.requests().at(0).headers.get("authorization").find("/eu-west-2/sts/aws4_request"),
            std::string_view::npos);
}

TEST(AssumeRole, a_role_over_a_role_is_asked_for_with_the_keys_of_the_first) {
  World world;
  world.files(kBase + role("middle", "base") + role("p", "middle"));
  world.gives(kAction, {"MIDDLE", "ROLE"});
  EXPECT_EQ(world.found().access_key_id, "ROLE");
  EXPECT_EQ(world.asked(0)["RoleArn"], "arn:middle");
  EXPECT_EQ(world.asked(1)["RoleArn"], "arn:p");
  EXPECT_EQ(world.signer(0), "BASE");
  EXPECT_EQ(world.signer(1), "MIDDLE");
  EXPECT_EQ(world.server.requests("/").at(1).headers.get("x-amz-security-token"), "canary-token-MIDDLE");
}

TEST(AssumeRole, a_profile_may_name_itself_for_its_own_keys) {
  World world;
  world.files(role("p", "p", "aws_access_key_id = OWN\naws_secret_access_key = canary\n"));
  EXPECT_EQ(world.found().access_key_id, "ROLE");
  EXPECT_EQ(world.signer(), "OWN");
}

TEST(AssumeRole, the_keys_of_a_source_come_before_its_role) {
  World world;
  world.files(kBase + role("middle", "base", "aws_access_key_id = MINE\naws_secret_access_key = canary\n") +
              role("p", "middle"));
  world.found();
  EXPECT_EQ(world.signer(), "MINE");
  EXPECT_EQ(world.server.requests("/").size(), 1u);
}

TEST(AssumeRole, the_source_may_be_a_process_or_a_web_identity) {
  World world;
  test::write_file(world.folder / "answer",
                   R"({"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "canary"})");
  world.files("[profile base]\ncredential_process = cat " + world.folder / "answer" + "\n" +
              role("p", "base"));
  world.found();
  EXPECT_EQ(world.signer(), "PROC");
  World web;
  test::write_file(web.folder / "token", "canary.jwt");
  web.files("[profile base]\nrole_arn = arn:web\nweb_identity_token_file = " + web.folder / "token" + "\n" +
            role("p", "base"));
  web.answers({respond(200, {}, sts_answer("AssumeRoleWithWebIdentity", "WEB")),
               respond(200, {}, sts_answer(kAction, "ROLE"))});
  EXPECT_EQ(web.found().access_key_id, "ROLE");
  EXPECT_EQ(web.signer(1), "WEB");
}

TEST(AssumeRole, a_circle_of_source_profiles_is_refused_before_anything_is_asked) {
  for (const auto& files :
       {role("p", "p"), role("p", "b") + role("b", "p"), role("p", "b") + role("b", "c") + role("c", "b"),
        role("p", "b", "aws_access_key_id=A\naws_secret_access_key=canary\n") + role("b", "p")}) {
    World world;
    const auto error = world.files(files).failure();
    EXPECT_EQ(error.kind(), Kind::refused) << files;
    EXPECT_NE(error.message().find("leads back"), std::string::npos) << error.message();
    EXPECT_TRUE(world.server.requests().empty());
  }
}

TEST(AssumeRole, more_than_16_roles_in_a_row_are_refused) {
  std::string files = role("p", "r0");
  for (int i = 0; i < 40; ++i) files += role("r" + std::to_string(i), "r" + std::to_string(i + 1));
  World world;
  EXPECT_EQ(world.files(files).failure().kind(), Kind::refused);
}

TEST(AssumeRole, what_the_profile_lacks_or_has_twice_is_an_error_by_name) {
  const std::string arn = "[profile p]\nrole_arn = arn:p\n";
  for (const auto& [files, named] : std::initializer_list<std::pair<std::string, const char*>>{
           {arn, "source_profile"},
           {arn + "source_profile = base\ncredential_source = Environment\n", "both"},
           {arn + "source_profile = absent\n", "absent"},
           {arn + "source_profile = empty\n[profile empty]\nregion = x\n", "empty"},
           {arn + "credential_source = Magic\n", "credential_source"},
           {arn + "credential_source = Environment\n", "Environment"},
           {arn + "credential_source = EcsContainer\n", "EcsContainer"},
           {arn + "credential_source = Ec2InstanceMetadata\n", "Ec2InstanceMetadata"},
           {kBase + role("p", "base", "duration_seconds = 60\n"), "duration_seconds"},
           {kBase + role("p", "base", "duration_seconds = 1h\n"), "duration_seconds"},
       }) {
    World world;
    const auto error = world.files(files).failure();
    EXPECT_NE(error.message().find(named), std::string::npos) << files << error.message();
    EXPECT_TRUE(error.kind() == Kind::refused || error.kind() == Kind::denied);
  }
}

TEST(AssumeRole, the_source_may_be_the_environment_also_for_a_named_profile) {
  World world;
  world.files("[profile p]\nrole_arn = arn:p\ncredential_source = Environment\n");
  world.set("AWS_ACCESS_KEY_ID", "ENV")
      .set("AWS_SECRET_ACCESS_KEY", "canary")
      .set("AWS_SESSION_TOKEN", "t-1");
  EXPECT_EQ(world.found().access_key_id, "ROLE");
  EXPECT_EQ(world.signer(), "ENV");
  EXPECT_EQ(world.server.requests("/").at(0).headers.get("x-amz-security-token"), "t-1");
}

TEST(AssumeRole, the_source_may_be_the_container_or_the_instance) {
  const std::string keys = R"({"AccessKeyId": "MACHINE", "SecretAccessKey": "canary", "Token": "t"})";
  World world;
  world.files("[profile p]\nrole_arn = arn:p\ncredential_source = EcsContainer\n");
  world.server.on("/c", respond(200, {}, keys));
  world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", world.server.url("/c")).found();
  EXPECT_EQ(world.signer(), "MACHINE");
  World instance;
  instance.files("[profile p]\nrole_arn = arn:p\ncredential_source = Ec2InstanceMetadata\n");
  instance.server.on("/latest/api/token", respond(200, {}, "t"));
  instance.server.on("/latest/meta-data/iam/security-credentials/", respond(200, {}, "r"));
  instance.server.on("/latest/meta-data/iam/security-credentials/r", respond(200, {}, keys));
  instance.set("AWS_EC2_METADATA_DISABLED", "")
      .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.server.origin());
  instance.found();
  EXPECT_EQ(instance.signer(), "MACHINE");
}

TEST(AssumeRole, an_mfa_device_needs_a_callable_and_its_code_is_shown_nowhere) {
  World world;
  world.files(kBase + role("p", "base", "mfa_serial = arn:mfa/me\n"));
  EXPECT_EQ(world.failure().kind(), Kind::refused);
  EXPECT_NE(world.failure().message().find("mfa="), std::string::npos);
  std::string serial;
  world.inputs.mfa = [&](const std::string& asked) {
    serial = asked;
    return std::string{"123456"};
  };
  world.found();
  EXPECT_EQ(serial, "arn:mfa/me");
  EXPECT_EQ(world.asked()["SerialNumber"], "arn:mfa/me");
  EXPECT_EQ(world.asked()["TokenCode"], "123456");
  world.answers({respond(403, {}, sts_error("AccessDenied", "MultiFactorAuthentication failed for 123456"))});
  EXPECT_EQ(world.failure().message().find("123456"), std::string::npos);
  for (const auto* bad : {"", "12345", "1234567", "12345x", "123 456"}) {
    world.inputs.mfa = [bad](const std::string&) { return std::string{bad}; };
    EXPECT_EQ(world.failure().kind(), Kind::refused) << bad;
  }
}

TEST(AssumeRole, a_refusal_is_denied_and_shows_no_secret) {
  World world;
  world.files(kBase + role("p", "base"));
  world.answers({respond(403, {}, sts_error("AccessDenied", "BASE may not, canary-base"))});
  const auto error = world.failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().code, "");
  ASSERT_TRUE(error.facts().cause);
  EXPECT_EQ(error.facts().cause->facts().code, "AccessDenied");
  EXPECT_FALSE(shows_secret(error)) << error.message();
  EXPECT_EQ(world.server.requests().size(), 1u);
}

TEST(AssumeRole, a_wrong_clock_is_mended_in_one_retry) {
  for (const int off : {-24, 24}) {
    World world;
    world.files(kBase + role("p", "base"));
    const auto server_now = std::chrono::system_clock::now();
    world.parts.web.clock = std::make_shared<ManualClock>(server_now + std::chrono::hours{off});
    const auto date = http::http_date(server_now);
    world.answers({respond(400, {{"Date", date}}, sts_error("RequestExpired", "Request has expired.")),
                   respond(200, {}, sts_answer(kAction, "ROLE"))});
    EXPECT_EQ(world.found().access_key_id, "ROLE");
    EXPECT_EQ(world.server.requests().size(), 2u);
  }
}

TEST(AssumeRole, keys_of_an_hour_do_not_come_ended_where_the_clock_is_a_day_ahead) {
  const WallTime server_now{std::chrono::seconds{1893553445} - std::chrono::hours{1}};
  World world;
  world.files(kBase + role("p", "base"));
  world.parts.web.clock = std::make_shared<ManualClock>(server_now + std::chrono::hours{24});
  world.answers({respond(200, {{"Date", http::http_date(server_now)}}, sts_answer(kAction, "ROLE"))});
  EXPECT_EQ(world.found().expires, world.parts.web.clock->wall() + std::chrono::hours{1});
  world.parts.web.clock = std::make_shared<ManualClock>(server_now - std::chrono::hours{24});
  EXPECT_EQ(world.found().expires, server_now + std::chrono::hours{1});
}

TEST(AssumeRole, an_environment_with_keys_comes_before_unless_the_profile_is_an_argument) {
  World world;
  world.files(kBase + role("p", "base"));
  world.set("AWS_PROFILE", "p").set("AWS_ACCESS_KEY_ID", "ENV").set("AWS_SECRET_ACCESS_KEY", "s");
  EXPECT_EQ(world.found().access_key_id, "ROLE");
  EXPECT_EQ(world.profile("").found().access_key_id, "ENV");
}

}  // namespace
}  // namespace penstock::aws
