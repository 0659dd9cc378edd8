// What finish() does when several of its steps fail.
#include <gtest/gtest.h>

#include "penstock/sqs/client.h"

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;

class CompletingTest : public ::testing::Test {
 protected:
  CompletingTest() {
    world.services.callback_errors = CallbackErrors::raise;
    world.recipe.on_complete = {[](const BundleRef&) { throw std::runtime_error("the callback's"); }};
    world.told->failures = 1;
  }
  std::unique_ptr<Bundle> start() {
    storage = world.storage();
    BundleRef ref = reference();
    return storage->start(ref, world.recipe);
  }
  ObjectWorld world;
  std::unique_ptr<BundleStorage> storage;
};

TEST_F(CompletingTest, a_callbacks_error_is_thrown_though_publishing_failed_first) {
  const auto bundle = start();
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::denied);
  EXPECT_THROW(bundle->finish(Json::object()), std::runtime_error);
  EXPECT_EQ(world.pending().size(), 1u);
}

TEST_F(CompletingTest, a_callbacks_error_is_thrown_though_publishing_is_deferred) {
  world.services.publish_errors = PublishErrors::defer;
  const auto bundle = start();
  EXPECT_THROW(bundle->finish(Json::object()), std::runtime_error);
  EXPECT_EQ(world.pending().size(), 1u);
}

TEST_F(CompletingTest, what_its_owner_says_until_it_is_sealed_is_in_all_documents) {
  world.told->failures = 0;
  ObjectBundles bundles{world.store, {.services = {.notifier = world.told, .strict = true}}};
  BundleRef ref = reference();
  const auto bundle = bundles.start_staged(ref, {});
  add(*bundle, "https://h/a", "x");
  BundleRef now{.primary_url = "https://h/other", .resources_count = 1, .meta = {{"k", "v"}}};
  bundle->restate(now);
  bundle->finish(Json::object());
  now.resources_count = 7;
  bundle->restate(now);  // too late
  const Json marker = Json::parse(slurp(*world.store, "bundles/custom-one/metadata.json"));
  const Json record = Json::parse(bundle->pending_record())["bundle_ref"];
  for (const Json* document : {&marker, &record}) {
    EXPECT_EQ((*document)["primary_url"], "https://h/other");
    EXPECT_EQ((*document)["resources_count"], 1);
    EXPECT_EQ((*document)["meta"], (Json{{"k", "v"}}));
  }
  EXPECT_EQ(record["storage_key"], "bundles/custom-one/resources");
  EXPECT_EQ(Json::parse(world.told->last)["resources_count"], 1);
}

// Remembers what it was asked about, before anything was visible.
class Asked : public Told {
 public:
  void check(const Sealed& sealed, std::string_view recipe_id) const override {
    Told::check(sealed, recipe_id);
    body = message_body(sealed, recipe_id);
  }
  mutable std::string body{};
};

TEST_F(CompletingTest, a_message_is_checked_with_all_it_will_have) {
  const auto asked = std::make_shared<Asked>();
  world.told = asked;
  world.recipe.on_complete.clear();
  start()->finish(Json::object());
  const Json checked = Json::parse(asked->body), sent = Json::parse(asked->last);
  EXPECT_EQ(checked["storage_key"], sent["storage_key"]);
  ASSERT_TRUE(checked.contains("bundle"));
  EXPECT_GE(asked->body.size(), asked->last.size());
}

TEST(SqsNotifier, checks_against_the_smaller_of_its_limit_and_the_queues) {
  const auto queue = [](std::uint64_t most) {
    return std::make_shared<sqs::Client>(sqs::Config{.queue_url = "http://127.0.0.1:1/1/q",
                                                     .region = "us-east-1",
                                                     .endpoint = "http://127.0.0.1:1",
                                                     .max_message_bytes = most});
  };
  const Sealed sealed{.ref = reference(), .metadata = {{"k", std::string(3000, 'x')}}};
  SqsNotifier{queue(1 << 20)}.check(sealed, "fr");
  EXPECT_EQ(error_of([&] { SqsNotifier(queue(2048)).check(sealed, "fr"); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([&] { SqsNotifier(queue(1 << 20), 2048).check(sealed, "fr"); }).kind(), Kind::refused);
}

}  // namespace
}  // namespace penstock::bundles::test
