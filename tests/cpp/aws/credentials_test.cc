#include "penstock/aws/credentials.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "penstock/http/client.h"

#include "support/errors.h"
#include "support/quick_client.h"
#include "support/scripted_server.h"
#include "support/temporary_folder.h"

namespace penstock::aws {
namespace {

using test::error_of;

// Inputs whose credential_process counts how often it ran, by a line a run.
struct World {
  test::TemporaryFolder folder;
  ChainInputs inputs;
  std::shared_ptr<http::Client> client = std::make_shared<http::Client>();

  World() {
    inputs.home = folder.path();
    inputs.environment = {{"PATH", "/usr/bin:/bin"}, {"AWS_CONFIG_FILE", folder / "config"}};
    test::write_file(folder / "script",
                     "echo >> '" + folder / "runs" + "'\n" +
                         R"(echo '{"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "s"}')" + "\n");
    test::write_file(folder / "config", "[default]\ncredential_process = sh '" + folder / "script" + "'\n");
  }
  std::size_t runs() const { return test::read_file(folder / "runs").size(); }
};

TEST(CredentialsFor, equal_inputs_share_one_cache_and_one_load) {
  World world;
  const auto first = credentials_for(world.inputs, world.client);
  const auto second = credentials_for(world.inputs, std::make_shared<http::Client>());
  EXPECT_EQ(first, second);
  EXPECT_EQ(first->wait({}).access_key_id, "PROC");
  EXPECT_EQ(second->wait({}).access_key_id, "PROC");
  EXPECT_EQ(world.runs(), 1u);
}

TEST(CredentialsFor, the_cache_outlives_the_client_it_was_made_for) {
  World world;
  credentials_for(world.inputs, world.client)->wait({});
  world.client = std::make_shared<http::Client>();
  EXPECT_EQ(credentials_for(world.inputs, world.client)->wait({}).access_key_id, "PROC");
  EXPECT_EQ(world.runs(), 1u);
}

TEST(CredentialsFor, inputs_that_differ_do_not_share) {
  World world;
  const auto cache = credentials_for(world.inputs, world.client);
  auto other = world.inputs;
  other.profile = "dev";
  EXPECT_NE(credentials_for(other, world.client), cache);
  other = world.inputs;
  other.environment["AWS_ACCESS_KEY_ID"] = "A";
  EXPECT_NE(credentials_for(other, world.client), cache);
}

TEST(CredentialsFor, loads_are_counted_by_the_client) {
  World world;
  const auto cache = credentials_for(world.inputs, world.client);
  cache->wait({});
  cache->wait({});
  EXPECT_EQ(world.client->statistics().credential_fetches, 1u);
}

TEST(CredentialsFor, given_keys_are_checked_at_once_and_callables_are_never_shared) {
  World world;
  auto half = world.inputs;
  half.given = Credentials{.access_key_id = "A"};
  EXPECT_EQ(error_of([&] { credentials_for(half, world.client); }).kind(), Kind::denied);
  auto called = world.inputs;
  called.callable = [] { return Credentials{.access_key_id = "C", .secret_access_key = "s"}; };
  EXPECT_NE(credentials_for(called, world.client), credentials_for(called, world.client));
  EXPECT_EQ(credentials_for(called, world.client)->wait({}).access_key_id, "C");
}

TEST(CredentialsFor, a_forked_child_loads_for_itself) {
  World world;
  const auto cache = credentials_for(world.inputs, world.client);
  auto called = world.inputs;
  called.callable = [] { return Credentials{.access_key_id = "C", .secret_access_key = "s"}; };
  const auto cold = credentials_for(called, world.client);
  cache->wait({});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Call call{.deadline = Deadline::after(std::chrono::seconds{20})};
    try {
      _exit(cold->wait(call).access_key_id == "C" && cache->wait(call).access_key_id == "PROC" ? 0 : 1);
    } catch (...) {
      _exit(2);
    }
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A container's agent on loopback, a clock that the test moves, and keys that end an hour after its start.
struct Agent {
  test::ScriptedServer server;
  std::shared_ptr<ManualClock> clock =
      std::make_shared<ManualClock>(WallTime{std::chrono::seconds{1893549845}});
  std::shared_ptr<http::Client> client = test::quick_client({.clock = clock});
  std::shared_ptr<CredentialCache> cache;

  Agent() {
    ChainInputs inputs;
    inputs.environment = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url("/keys")}};
    cache = credentials_for(inputs, client);
    gives("ONE", "2030-01-02T03:04:05Z");
  }
  void gives(const std::string& id, const std::string& expires) {
    server.on("/keys", test::respond(200, {},
                                     R"({"AccessKeyId": ")" + id + R"(", "SecretAccessKey": "s", )" +
                                         R"("Token": "t", "Expiration": ")" + expires + "\"}"));
  }
  void fails() { server.on("/keys", test::respond(403)); }
  std::string id() const { return cache->wait({}).access_key_id; }
  bool asked(std::size_t times) const {
    return server.wait_until([times](const auto& seen) { return seen.requests().size() == times; });
  }
};

TEST(CredentialsFor, a_failed_refresh_keeps_the_keys_of_an_endpoint_until_they_end) {
  Agent agent;
  EXPECT_EQ(agent.id(), "ONE");
  agent.fails();
  agent.clock->advance(std::chrono::minutes{50});
  EXPECT_EQ(agent.id(), "ONE");
  EXPECT_TRUE(agent.asked(2)) << "in the background";
  agent.clock->advance(std::chrono::minutes{10});
  const auto error = error_of([&] { agent.id(); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("expired"), std::string::npos) << error.message();
  agent.gives("TWO", "2030-01-02T05:04:05Z");
  agent.clock->advance(std::chrono::minutes{1});
  EXPECT_EQ(agent.id(), "TWO");
}

TEST(CredentialsFor, stores_of_two_regions_have_a_cache_each) {
  World world;
  auto other = world.inputs;
  other.region_hint = "eu-west-2";
  EXPECT_NE(credentials_for(other, world.client), credentials_for(world.inputs, world.client));
}

TEST(CredentialsFor, those_with_an_mfa_callable_are_never_shared) {
  World world;
  world.inputs.mfa = [](const std::string&) { return std::string{"123456"}; };
  EXPECT_NE(credentials_for(world.inputs, world.client), credentials_for(world.inputs, world.client));
}

TEST(ChainInputs, from_process_holds_the_environment_and_a_home) {
  ASSERT_EQ(setenv("PENSTOCK_TEST_CANARY", "a=b", 1), 0);
  const auto inputs = ChainInputs::from_process();
  EXPECT_EQ(inputs.environment.at("PENSTOCK_TEST_CANARY"), "a=b");
  EXPECT_FALSE(inputs.home.empty());
  unsetenv("PENSTOCK_TEST_CANARY");
}

}  // namespace
}  // namespace penstock::aws
