#include "penstock/aws/chain.h"

#include <gtest/gtest.h>

#include "aws/chain_world.h"

namespace penstock::aws {
namespace {

using test::write_file;
using World = ChainWorld;

constexpr const char* kFileKeys =
    "[default]\naws_access_key_id = FILE\naws_secret_access_key = file-secret\n"
    "[dev]\naws_access_key_id = DEV\naws_secret_access_key = dev-secret\naws_session_token = dev-token\n";
constexpr const char* kConfigKeys =
    "[default]\naws_access_key_id = CONFIG\naws_secret_access_key = config-secret\n"
    "[profile ops]\naws_access_key_id = OPS\naws_secret_access_key = ops-secret\n";

std::string process_answer(const std::string& rest) {
  return R"({"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "proc-secret")" + rest + "}";
}

struct ProcessWorld : World {
  explicit ProcessWorld(const std::string& answer) {
    write_file(folder / "answer", answer);
    config("[default]\ncredential_process = cat '" + folder / "answer" + "'\n");
  }
};

TEST(Chain, given_keys_come_before_all) {
  World world;
  world.set("AWS_ACCESS_KEY_ID", "ENV").set("AWS_SECRET_ACCESS_KEY", "s");
  world.inputs.given = Credentials{.access_key_id = "GIVEN", .secret_access_key = "s"};
  EXPECT_EQ(world.found().access_key_id, "GIVEN");
  world.inputs.anonymous = true;
  EXPECT_TRUE(world.found().anonymous);
}

TEST(Chain, a_callable_is_called_at_each_load) {
  World world;
  int calls = 0;
  world.inputs.callable = [&calls] {
    return Credentials{.access_key_id = "CALL" + std::to_string(++calls), .secret_access_key = "s"};
  };
  EXPECT_EQ(world.found().access_key_id, "CALL1");
  EXPECT_EQ(world.found().access_key_id, "CALL2");
}

TEST(Chain, given_keys_that_are_not_whole_are_denied) {
  World world;
  world.inputs.given = Credentials{.access_key_id = "GIVEN"};
  EXPECT_EQ(world.failure().kind(), Kind::denied);
}

TEST(Chain, environment_comes_before_files) {
  World world;
  world.credentials(kFileKeys).set("AWS_ACCESS_KEY_ID", "ENV").set("AWS_SECRET_ACCESS_KEY", "env-secret");
  world.set("AWS_SESSION_TOKEN", "env-token");
  const auto keys = world.found();
  EXPECT_EQ(keys.access_key_id, "ENV");
  EXPECT_EQ(keys.secret_access_key, "env-secret");
  EXPECT_EQ(keys.session_token, "env-token");
  EXPECT_EQ(keys.source, "environment");
}

TEST(Chain, one_environment_key_without_the_other_is_denied_by_name) {
  World one, other;
  one.credentials(kFileKeys).set("AWS_ACCESS_KEY_ID", "ENV");
  EXPECT_EQ(one.failure().kind(), Kind::denied);
  EXPECT_NE(one.failure().message().find("AWS_SECRET_ACCESS_KEY is not"), std::string::npos);
  other.credentials(kFileKeys).set("AWS_SECRET_ACCESS_KEY", "canary").set("AWS_ACCESS_KEY_ID", "");
  EXPECT_NE(other.failure().message().find("AWS_ACCESS_KEY_ID is not"), std::string::npos);
  EXPECT_EQ(other.failure().message().find("canary"), std::string::npos);
}

TEST(Chain, a_profile_argument_skips_the_environment_but_AWS_PROFILE_does_not) {
  World world;
  world.credentials(kFileKeys).set("AWS_ACCESS_KEY_ID", "ENV").set("AWS_SECRET_ACCESS_KEY", "s");
  world.set("AWS_PROFILE", "dev");
  EXPECT_EQ(world.found().access_key_id, "ENV");
  EXPECT_EQ(world.profile("dev").found().access_key_id, "DEV");
}

TEST(Chain, the_profile_is_the_argument_then_AWS_PROFILE_then_default) {
  World world;
  world.credentials(kFileKeys);
  EXPECT_EQ(world.found().access_key_id, "FILE");
  world.set("AWS_PROFILE", "dev");
  EXPECT_EQ(world.found().access_key_id, "DEV");
  EXPECT_EQ(world.found().session_token, "dev-token");
  EXPECT_EQ(world.profile("default").found().access_key_id, "FILE");
}

TEST(Chain, the_order_of_files_is_credentials_process_config) {
  World world;
  write_file(world.folder / "answer", process_answer(""));
  const std::string process = "credential_process = cat '" + world.folder / "answer" + "'\n";
  world.config("[default]\n" + process + "aws_access_key_id = CONFIG\naws_secret_access_key = s\n");
  world.credentials(kFileKeys);
  EXPECT_EQ(world.found().access_key_id, "FILE");
  world.credentials("[other]\n");
  EXPECT_EQ(world.found().access_key_id, "PROC");
  world.config(kConfigKeys);
  EXPECT_EQ(world.found().access_key_id, "CONFIG");
  EXPECT_EQ(world.profile("ops").found().access_key_id, "OPS");
}

TEST(Chain, files_are_where_the_environment_says) {
  World world;
  world.credentials(kFileKeys);
  write_file(world.folder / "elsewhere", "[default]\naws_access_key_id=ELSE\naws_secret_access_key=s\n");
  EXPECT_EQ(world.set("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere").found().access_key_id, "ELSE");
  world.set("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file").config(kConfigKeys);
  EXPECT_EQ(world.found().access_key_id, "CONFIG");
}

TEST(Chain, a_profile_with_half_a_pair_is_denied_naming_file_and_key) {
  World world;
  const auto error = world.credentials("[default]\naws_secret_access_key = canary\n").failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("aws_access_key_id"), std::string::npos);
  EXPECT_NE(error.message().find("/.aws/credentials"), std::string::npos);
  EXPECT_EQ(error.message().find("canary"), std::string::npos);
}

TEST(Chain, a_profile_name_in_quotes_and_with_spaces_is_found) {
  World world;
  world.config("[profile \"my dev\"]\naws_access_key_id = Q\naws_secret_access_key = s\n");
  EXPECT_EQ(world.profile("my dev").found().access_key_id, "Q");
}

TEST(Chain, a_section_without_the_word_profile_is_no_profile_in_the_config_file) {
  World world;
  world.config("[dev]\naws_access_key_id = NO\naws_secret_access_key = s\n");
  EXPECT_EQ(world.profile("dev").failure().kind(), Kind::denied);
}

TEST(Chain, a_profile_that_is_nowhere_is_denied_by_name) {
  World world;
  const auto error = world.credentials(kFileKeys).profile("absent").failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("profile absent is in neither"), std::string::npos) << error.message();
}

TEST(Chain, nothing_configured_says_where_it_looked) {
  const World world;
  const auto error = world.failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  for (const auto* place : {"AWS_ACCESS_KEY_ID", "/.aws/credentials", "/.aws/config", "credential_process"})
    EXPECT_NE(error.message().find(place), std::string::npos) << place;
}

TEST(Chain, a_file_that_cannot_be_parsed_stops_it) {
  World world;
  const auto error = world.credentials("aws_secret_access_key = canary\n").config(kConfigKeys).failure();
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.message().find("canary"), std::string::npos);
}

TEST(Chain, a_login_session_is_refused_not_skipped) {
  World world;
  world.config("[profile p]\nlogin_session = l\naws_access_key_id=A\naws_secret_access_key=B\n");
  const auto error = world.profile("p").failure();
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_NE(error.message().find("login_session"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("credential_process"), std::string::npos) << error.message();
}

TEST(Chain, a_configured_source_that_fails_stops_it) {
  for (const auto* setting : {"role_arn = arn:aws:iam::1:role/r", "web_identity_token_file = /t",
                              "sso_account_id = 1", "sso_role_name = r"}) {
    World world;
    world.config(std::string{"[profile p]\n"} + setting + "\naws_access_key_id=A\naws_secret_access_key=B\n");
    EXPECT_NO_THROW(world.failure()) << setting;
  }
}

TEST(Chain, what_the_machine_gives_comes_after_files) {
  World world;
  world.credentials(kFileKeys).set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x");
  EXPECT_EQ(world.found().access_key_id, "FILE");
}

TEST(Chain, a_misspelt_profile_does_not_end_as_the_role_of_the_machine) {
  World world;
  world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x").set("AWS_PROFILE", "absent");
  EXPECT_NE(world.failure().message().find("profile absent is in neither"), std::string::npos);
}

TEST(CredentialProcess, gives_keys_token_and_expiry) {
  const ProcessWorld world{
      process_answer(R"(, "SessionToken": "proc-token", "Expiration": "2030-01-02T03:04:05Z")")};
  const auto keys = world.found();
  EXPECT_EQ(keys.access_key_id, "PROC");
  EXPECT_EQ(keys.secret_access_key, "proc-secret");
  EXPECT_EQ(keys.session_token, "proc-token");
  EXPECT_EQ(keys.expires, WallTime{std::chrono::seconds{1893553445}});
}

TEST(CredentialProcess, may_stand_in_the_credentials_file) {
  World world;
  write_file(world.folder / "answer", process_answer(""));
  world.credentials("[default]\ncredential_process = cat " + world.folder / "answer" + "\n");
  EXPECT_EQ(world.found().access_key_id, "PROC");
}

TEST(CredentialProcess, an_answer_that_does_not_fit_is_denied_and_quoted_nowhere) {
  for (const auto& answer : {
           std::string{"canary"},
           std::string{},
           std::string{"[\"canary\"]"},
           std::string{R"({"AccessKeyId": "canary", "SecretAccessKey": "canary"})"},
           std::string{R"({"Version": 2, "AccessKeyId": "canary", "SecretAccessKey": "canary"})"},
           std::string{R"({"Version": "1", "AccessKeyId": "canary", "SecretAccessKey": "canary"})"},
           std::string{R"({"Version": 1, "AccessKeyId": "canary"})"},
           std::string{R"({"Version": 1, "AccessKeyId": "", "SecretAccessKey": "canary"})"},
           std::string{R"({"Version": 1, "AccessKeyId": "canary", "SecretAccessKey": ["canary"]})"},
           process_answer(R"(, "Expiration": "canary")"),
           process_answer(R"(, "Expiration": 17)"),
           process_answer("} {"),
           std::string(100'000, '['),
       }) {
    const auto error = ProcessWorld{answer}.failure();
    EXPECT_EQ(error.kind(), Kind::denied) << answer.substr(0, 80);
    EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find("proc-secret"), std::string::npos) << error.message();
  }
}

TEST(CredentialProcess, a_failing_process_stops_the_chain) {
  World world;
  world.config(
      "[default]\ncredential_process = sh -c 'exit 3'\naws_access_key_id=A\naws_secret_access_key=B\n");
  const auto error = world.failure();
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("status 3"), std::string::npos);
}

TEST(CredentialProcess, a_null_token_is_none) {
  EXPECT_EQ(ProcessWorld{process_answer(R"(, "SessionToken": null)")}.found().session_token, "");
}

TEST(Chain, says_without_asking_whether_anything_names_a_source) {
  World world;
  EXPECT_FALSE(names_a_source(world.inputs));
  world.set("AWS_ACCESS_KEY_ID", "ENV");
  EXPECT_FALSE(names_a_source(world.inputs)) << "half a pair";
  world.set("AWS_SECRET_ACCESS_KEY", "s");
  EXPECT_TRUE(names_a_source(world.inputs));
  EXPECT_FALSE(names_a_source(world.profile("dev").inputs)) << "the environment's keys are not dev's";
  world.config("[profile dev]\ncredential_process = touch '" + world.folder / "asked" + "'\n");
  EXPECT_TRUE(names_a_source(world.inputs));
  EXPECT_FALSE(std::filesystem::exists(world.folder / "asked"));
}

TEST(Chain, roles_and_containers_are_sources_too) {
  for (const char* uri : {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"})
    EXPECT_TRUE(names_a_source(World{}.set(uri, "/keys").inputs));
  World world;
  EXPECT_FALSE(names_a_source(world.set("AWS_ROLE_ARN", "arn").inputs));
  EXPECT_TRUE(names_a_source(world.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/token").inputs));
  World file;
  EXPECT_TRUE(names_a_source(file.credentials("[default]\nrole_arn = arn\n").inputs));
}

TEST(Region, is_the_argument_then_the_environment_then_the_profile_then_us_east_1) {
  World world;
  EXPECT_EQ(region_for(world.inputs), "us-east-1");
  world.config("[default]\nregion = from-profile\n[profile dev]\nregion = from-dev\n");
  EXPECT_EQ(region_for(world.inputs), "from-profile");
  EXPECT_EQ(region_for(world.set("AWS_PROFILE", "dev").inputs), "from-dev");
  EXPECT_EQ(region_for(world.set("AWS_DEFAULT_REGION", "from-default").inputs), "from-default");
  EXPECT_EQ(region_for(world.set("AWS_REGION", "from-environment").inputs), "from-environment");
  world.inputs.region_hint = "from-argument";
  EXPECT_EQ(region_for(world.inputs), "from-argument");
}

TEST(Endpoint, is_the_services_own_variable_then_the_general_ones_then_the_profile) {
  World world;
  EXPECT_EQ(endpoint_for(world.inputs, "s3"), "");
  world.config("[default]\nendpoint_url = http://profile\n");
  EXPECT_EQ(endpoint_for(world.inputs, "s3"), "http://profile");
  EXPECT_EQ(endpoint_for(world.set("AWS_ENDPOINT", "http://plain").inputs, "s3"), "http://plain");
  EXPECT_EQ(endpoint_for(world.set("AWS_ENDPOINT_URL", "http://url").inputs, "s3"), "http://url");
  EXPECT_EQ(endpoint_for(world.set("AWS_ENDPOINT_URL_S3", "http://own").inputs, "s3"), "http://own");
  EXPECT_EQ(endpoint_for(world.inputs, "sqs"), "http://url");
  EXPECT_EQ(endpoint_for(world.set("AWS_ENDPOINT_URL_SSO_OIDC", "http://oidc").inputs, "sso-oidc"),
            "http://oidc");
}

TEST(Endpoint, AWS_ENDPOINT_is_for_stores_and_queues_not_for_who_gives_keys) {
  World world;
  world.set("AWS_ENDPOINT", "http://store");
  EXPECT_EQ(endpoint_for(world.inputs, "sqs"), "http://store");
  EXPECT_EQ(endpoint_for(world.inputs, "sts"), "");
}

}  // namespace
}  // namespace penstock::aws
