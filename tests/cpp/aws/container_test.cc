#include <gtest/gtest.h>

#include "aws/chain_world.h"
#include "support/scripted_server.h"

namespace penstock::aws {
namespace {

using test::respond;
using test::script;

constexpr const char* kKeys =
    R"({"AccessKeyId": "CONT", "SecretAccessKey": "canary-secret", "Token": "canary-token",
        "Expiration": "2030-01-02T03:04:05Z", "RoleArn": "arn:r"})";

// An agent on loopback that the environment names.
struct World : ChainWorld {
  test::ScriptedServer server;

  World() { set("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url("/v2/keys?id=1")); }
  World& answers(std::vector<test::Script> scripts) {
    server.on("/v2/keys", std::move(scripts));
    return *this;
  }
};

TEST(Container, gives_keys_token_and_expiry) {
  World world;
  const auto keys = world.answers({respond(200, {}, kKeys)}).found();
  EXPECT_EQ(keys.access_key_id, "CONT");
  EXPECT_EQ(keys.secret_access_key, "canary-secret");
  EXPECT_EQ(keys.session_token, "canary-token");
  EXPECT_EQ(keys.expires, WallTime{std::chrono::seconds{1893553445}});
  const auto seen = world.server.requests("/v2/keys").at(0);
  EXPECT_EQ(seen.target, "/v2/keys?id=1");
  EXPECT_FALSE(seen.headers.has("authorization"));
}

TEST(Container, a_relative_uri_is_asked_of_the_agent_and_comes_before_a_full_one) {
  World world;
  world.server.on("/relative", respond(200, {}, kKeys));
  world.parts.container_origin = world.server.origin();
  EXPECT_EQ(world.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/relative").found().access_key_id, "CONT");
}

TEST(Container, a_relative_uri_that_would_name_another_host_is_refused) {
  World world;
  const auto error = world.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@127.0.0.1/keys").failure();
  EXPECT_EQ(error.kind(), Kind::refused);
}

TEST(Container, the_token_of_the_file_is_read_anew_and_comes_before_the_other) {
  World world;
  world.answers({respond(200, {}, kKeys)});
  world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer canary-variable").found();
  test::write_file(world.folder / "token", "Bearer canary-1");
  world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.folder / "token").found();
  test::write_file(world.folder / "token", "Bearer canary-2");
  world.found();
  std::vector<std::string> sent;
  for (const auto& seen : world.server.requests()) sent.emplace_back(seen.headers.get("authorization"));
  EXPECT_EQ(sent, (std::vector<std::string>{"Bearer canary-variable", "Bearer canary-1", "Bearer canary-2"}));
}

TEST(Container, a_token_with_a_line_break_is_refused_and_not_shown) {
  for (const std::string token : {"canary\nX-Evil: 1", "canary\r", "canary\n"}) {
    World world;
    world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token);
    EXPECT_EQ(world.failure().kind(), Kind::refused);
    test::write_file(world.folder / "token", token);
    const auto error = world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.folder / "token").failure();
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_FALSE(shows_secret(error)) << error.message();
    EXPECT_TRUE(world.server.requests().empty());
  }
}

TEST(Container, a_token_file_that_is_not_there_or_too_large_is_an_error) {
  World world;
  world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.folder / "absent");
  EXPECT_EQ(world.failure().kind(), Kind::denied);
  EXPECT_NE(world.failure().message().find("/absent"), std::string::npos);
  test::write_file(world.folder / "absent", std::string(100'000, 'x'));
  EXPECT_EQ(world.failure().facts().code, code::kTooLarge);
}

TEST(Container, http_to_anywhere_but_loopback_and_the_agents_is_refused) {
  for (const auto* url : {"http://192.0.2.1/keys", "http://169.254.169.254/keys", "http://keys.example/",
                          "http://localhost.example/", "http://user@127.0.0.1/", "ftp://127.0.0.1/"}) {
    World world;
    EXPECT_EQ(world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url).failure().kind(), Kind::refused) << url;
  }
}

TEST(Container, localhost_is_loopback) {
  World world;
  world.answers({respond(200, {}, kKeys)});
  const auto url = world.server.url("localhost", "/v2/keys");
  EXPECT_EQ(world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url).found().access_key_id, "CONT");
}

TEST(Container, is_tried_three_times) {
  World world;
  world.answers({respond(503), respond(500), respond(200, {}, kKeys)});
  EXPECT_EQ(world.found().access_key_id, "CONT");
  World down;
  const auto error = down.answers({respond(503)}).failure();
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(down.server.requests().size(), 3u);
}

TEST(Container, a_refusal_is_denied_whatever_its_status_and_says_what_the_agent_said) {
  for (const int status : {400, 401, 403, 404, 409}) {
    World world;
    const auto error =
        world.answers({respond(status, {}, R"({"code": "NoAgent", "message": "no such task"})")}).failure();
    EXPECT_EQ(error.kind(), Kind::denied) << status;
    EXPECT_NE(error.message().find("no such task"), std::string::npos) << error.message();
    EXPECT_EQ(world.server.requests().size(), 1u);
  }
}

TEST(Container, a_token_that_is_echoed_and_a_body_that_is_no_error_are_shown_nowhere) {
  World world;
  world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-token");
  world.answers(
      {respond(403, {}, R"({"code": "Bad", "message": "not canary-token"})"), respond(404, {}, kKeys)});
  EXPECT_FALSE(shows_secret(world.failure()));
  EXPECT_FALSE(shows_secret(world.failure()));
}

TEST(Container, an_answer_that_does_not_fit_is_denied_and_quoted_nowhere) {
  for (const auto& answer : {
           std::string{"canary"},
           std::string{},
           std::string{"[]"},
           std::string{R"({"AccessKeyId": "canary"})"},
           std::string{R"({"AccessKeyId": "canary", "SecretAccessKey": 7})"},
           std::string{R"({"AccessKeyId": "c", "SecretAccessKey": "canary", "Expiration": "canary"})"},
           std::string{"{\"AccessKeyId\": \"canary\", \"SecretAccessKey\": \"canary"},
           std::string(70'000, '{'),
           std::string(70'000, 'x') + "canary",
       }) {
    World world;
    const auto error = world.answers({respond(200, {}, answer)}).failure();
    EXPECT_EQ(error.kind(), Kind::denied) << answer.substr(0, 60);
    EXPECT_FALSE(shows_secret(error)) << error.message();
  }
}

TEST(Container, redirects_are_not_followed) {
  World world;
  world.server.on("/elsewhere", respond(200, {}, kKeys));
  world.answers({respond(302, {{"Location", world.server.url("/elsewhere")}})});
  EXPECT_EQ(world.failure().kind(), Kind::denied);
  EXPECT_TRUE(world.server.requests("/elsewhere").empty());
}

TEST(Container, asks_no_proxy) {
  World world;
  world.answers({respond(200, {}, kKeys)});
  world.parts.web.proxy = "http://127.0.0.1:1";
  EXPECT_EQ(world.found().access_key_id, "CONT");
}

TEST(Container, a_stop_ends_the_load) {
  World world;
  world.answers({script().stall()});
  std::stop_source stop;
  std::jthread stopper{[&] {
    world.server.wait_until([](const auto& server) { return !server.requests().empty(); });
    stop.request_stop();
  }};
  const auto error = test::error_of([&] { world.found({.stop = stop.get_token()}); });
  EXPECT_EQ(error.kind(), Kind::cancelled);
}

TEST(Container, an_agent_that_says_nothing_is_lost_within_its_time) {
  World world;
  EXPECT_EQ(world.parts.container.time, std::chrono::seconds{2});
  world.parts.container.time = std::chrono::milliseconds{50};
  EXPECT_EQ(world.answers({script().stall()}).failure().kind(), Kind::lost);
  EXPECT_EQ(world.server.requests().size(), 3u);
}

}  // namespace
}  // namespace penstock::aws
