#include "penstock/bundles/claim.h"

#include <functional>
#include <optional>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/bundles/owner.h"
#include "penstock/store/folder_store.h"

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;

const std::string kClaim = "out/bundles/custom-one/_claim", kMarker = "out/bundles/custom-one/metadata.json";

// A store in which something happens when a key that ends so is put, removed or looked for.
class Meddled : public store::MemoryStore {
 public:
  using MemoryStore::put;
  struct On {
    std::string key{};
    std::function<void()> before{}, after{};  // once
  };
  Receipt put(std::string_view key, Source& source, const store::WriteOptions& options,
              const Call& call) override {
    const auto after = begin(on_put, key);
    Receipt receipt = MemoryStore::put(key, source, options, call);
    if (after) after();
    return receipt;
  }
  void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override {
    const auto after = begin(on_remove, key);
    MemoryStore::remove(key, options, call);
    if (after) after();
  }
  std::optional<store::ObjectMeta> find(std::string_view key, const Call& call) override {
    begin(on_find, key);
    return MemoryStore::find(key, call);
  }
  On on_put{}, on_remove{}, on_find{};

 private:
  static std::function<void()> begin(On& on, std::string_view key) {
    if (on.key.empty() || !key.ends_with(on.key)) return {};
    const On now = std::exchange(on, {});
    if (now.before) now.before();
    return now.after;
  }
};

std::function<void()> failing(Kind kind) {
  return [kind] { throw Error{kind, "as the test wants it"}; };
}

class ClaimTest : public ::testing::Test {
 protected:
  ClaimTest() {
    world.store = store;
    storage = world.storage();
  }
  std::unique_ptr<Bundle> start() {
    BundleRef ref = reference();
    return storage->start(ref, world.recipe);
  }
  void put(const std::string& key, const std::string& text) { store->put(key, as_bytes(text)); }

  std::shared_ptr<Meddled> store = std::make_shared<Meddled>();
  ObjectWorld world;
  std::unique_ptr<BundleStorage> storage;
};

TEST_F(ClaimTest, of_a_bundle_that_another_published_meanwhile_is_a_conflict_and_goes) {
  store->on_put = {"_claim", [&] { put(kMarker, "another's"); }};
  EXPECT_EQ(error_of([&] { start(); }).facts().code, code::kAlreadyCompleted);
  EXPECT_EQ(slurp(*store, kMarker), "another's");
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, taken_over_from_who_published_after_all_is_a_conflict_too) {
  const std::string mine = this_owner();
  put(kClaim, R"({"owner":")" + mine.substr(0, mine.rfind('/')) + R"(/1","timestamp":""})");
  const auto dead_one_publishes = [&] {
    store->on_put = {"_claim", [&] { put(kMarker, "the dead one's"); }};
  };
  store->on_put = {"_claim", dead_one_publishes};  // the first put is If-None-Match, the second takes over
  EXPECT_EQ(error_of([&] { start(); }).facts().code, code::kAlreadyCompleted);
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, whose_answer_is_lost_is_no_obstacle) {
  store->on_put = {"_claim", {}, failing(Kind::in_doubt)};
  EXPECT_EQ(error_of([&] { start(); }).kind(), Kind::in_doubt);
  EXPECT_FALSE(store->exists(kClaim));
  start()->finish(Json::object());
}

TEST_F(ClaimTest, whose_put_was_repeated_by_the_client_is_known_as_its_own) {
  store->on_put = {"_claim", {}, failing(Kind::conflict)};  // of the repeat
  start()->finish(Json::object());
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, of_a_bundle_that_could_not_be_started_is_given_back) {
  world.layout = KeyLayout::manifest;
  storage = world.storage();
  store->on_put = {"_discovered.json", failing(Kind::lost)};
  EXPECT_EQ(error_of([&] { start(); }).kind(), Kind::lost);
  EXPECT_TRUE(world.leftovers().empty());
}

TEST_F(ClaimTest, that_could_not_be_removed_is_removed_by_the_next_try) {
  world.told->failures = 1;
  const auto bundle = start();
  store->on_remove = {"_claim", failing(Kind::lost)};
  EXPECT_THROW(bundle->finish(Json::object()), Error);
  EXPECT_TRUE(store->exists(kClaim));
  bundle->finish(Json::object());
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, of_a_visible_bundle_is_removed_by_recovery) {
  world.told->failures = 1;
  {
    const auto bundle = start();
    store->on_remove = {"_claim", failing(Kind::lost)};  // as if killed before it
    EXPECT_THROW(bundle->finish(Json::object()), Error);
  }
  ASSERT_TRUE(store->exists(kClaim));
  EXPECT_EQ(world.storage()->recover(world.recipe).recovered, 1u);
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, that_recovery_cannot_remove_keeps_the_record_for_the_next) {
  world.told->failures = 1;
  {
    const auto bundle = start();
    store->on_remove = {"_claim", failing(Kind::lost)};
    EXPECT_THROW(bundle->finish(Json::object()), Error);
  }
  store->on_remove = {"_claim", failing(Kind::lost)};
  EXPECT_EQ(world.storage()->recover(world.recipe).failed, 1u);
  ASSERT_TRUE(store->exists(kClaim));
  EXPECT_EQ(world.storage()->recover(world.recipe).recovered, 1u);
  EXPECT_FALSE(store->exists(kClaim));
}

TEST_F(ClaimTest, of_a_visible_bundle_is_removed_by_a_sweep) {
  put(kMarker, "{}");
  put(kClaim, "{}");
  EXPECT_EQ(storage->sweep({.remove = true}), 0u);
  EXPECT_FALSE(store->exists(kClaim));
  EXPECT_TRUE(store->exists(kMarker));
}

TEST_F(ClaimTest, of_its_parent_is_left_alone_by_a_forked_child) {
  TemporaryFolder folder;
  world.store = std::make_shared<store::FolderStore>(folder.path());
  storage = world.storage();
  const auto bundle = start();
  const pid_t child = ::fork();
  if (child == 0) {
    bundle->abort("child");
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(world.store->exists(kClaim));
  bundle->finish(Json::object());
  EXPECT_TRUE(world.visible(kBid));
}

TEST_F(ClaimTest, a_sweep_leaves_what_was_published_while_it_listed) {
  add(*start(), "https://h/a", "x");  // and dropped
  world.clock->set_wall(Clock::system()->wall() + std::chrono::hours{25});
  store->on_find = {"metadata.json", [&] { put(kMarker, "{}"); }};  // after the listing
  EXPECT_EQ(storage->sweep({.remove = true}), 0u);
  EXPECT_TRUE(store->exists("out/bundles/custom-one/resources/a"));
}

TEST_F(ClaimTest, a_marker_that_cannot_be_looked_at_leaves_the_bundle_in_doubt) {
  const auto bundle = start();
  store->on_put = {"metadata.json", {}, failing(Kind::in_doubt)};
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::in_doubt);
  store->on_find = {"metadata.json", failing(Kind::lost)};
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::in_doubt);
  bundle->abort("it is published, so this has no effect");
  bundle->finish(Json::object());
  EXPECT_EQ(bundle->state(), State::completed);
}

TEST_F(ClaimTest, a_try_that_fails_after_one_in_doubt_settles_nothing) {
  const auto bundle = start();
  store->on_put = {"metadata.json", {}, failing(Kind::in_doubt)};
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::in_doubt);
  store->on_put = {"metadata.json", failing(Kind::busy)};
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::busy);
  bundle->abort("it is published, so this has no effect");
  bundle->finish(Json::object());
  EXPECT_EQ(bundle->state(), State::completed);
}

}  // namespace
}  // namespace penstock::bundles::test
