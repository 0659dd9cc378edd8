// Bundles of objects whose process is killed, at any system call: nothing is shown or all, and recovery ends
// the same.
#include <fstream>

#include <gtest/gtest.h>

#include "penstock/bundles/object_bundles.h"
#include "penstock/store/folder_store.h"

#include "bundles/storages.h"
#include "support/kill_sweep.h"

namespace penstock::bundles::test {
namespace {

using Names = std::vector<std::string>;

// Objects that outlive the process: the sweeps of kills need that.
class OnDisk : public ObjectWorld {
 public:
  OnDisk() {
    clock->set_wall(Clock::system()->wall());  // the store's own
    begin();
  }
  void begin() {
    for (const auto& entry : fs::directory_iterator(folder.path())) fs::remove_all(entry);
    store = std::make_shared<store::FolderStore>(folder.path());
    told->ids.clear();
  }
  TemporaryFolder folder;
};

// One run: a bundle of three resources, acknowledged by a file once finish() returned.
void run_once(OnDisk& world, const std::string& acknowledged) {
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto bundle = storage->start(ref, world.recipe);
  for (const char* name : {"a", "b", "c"})
    add(*bundle, std::string{"https://h/"} + name, std::string(3000, *name));
  bundle->finish(Json::object());
  penstock::test::write_file(acknowledged, "yes");
}

TEST(ObjectBundles, killed_at_any_system_call_show_nothing_or_all_and_are_recovered) {
  OnDisk world;
  TemporaryFolder other;
  const std::string acknowledged = other / "acknowledged";
  int shown = 0, unseen = 0;
  const std::size_t kills = penstock::test::kill_at_every_system_call(
      [&] {
        world.begin();
        fs::remove(acknowledged);
      },
      [&] { run_once(world, acknowledged); },
      [&](std::size_t k) {
        const auto seen = world.visible(kBid);
        if (fs::exists(acknowledged)) {
          ASSERT_TRUE(seen) << "killed at stop " << k;
        }
        if (seen) {
          ASSERT_EQ(seen->size(), 3u) << "killed at stop " << k;
          for (const auto& [name, bytes] : *seen) ASSERT_EQ(bytes, std::string(3000, name[0]));
        }
        ++(seen ? shown : unseen);
        const bool outstanding = seen && !world.pending().empty();
        const RecoveryReport report = world.storage()->recover(world.recipe);
        ASSERT_EQ(report.recovered, outstanding ? 1u : 0u) << "killed at stop " << k;
        ASSERT_EQ(world.told->ids.size(), outstanding ? 1u : 0u) << "killed at stop " << k;
        ASSERT_EQ(world.pending(), Names{}) << "killed at stop " << k;
        ASSERT_EQ(world.visible(kBid), seen) << "killed at stop " << k;
        if (seen) {
          ASSERT_EQ(world.leftovers(), Names{}) << "killed at stop " << k;
        }
        if (!seen) {
          run_once(world, acknowledged);  // the dead process's claim is taken over
          ASSERT_EQ(world.leftovers(), Names{}) << "killed at stop " << k;
        }
        ASSERT_TRUE(world.visible(kBid)) << "killed at stop " << k;
      });
  std::printf("killed at %zu stops: %d showed nothing, %d all\n", kills, unseen, shown);
  EXPECT_GT(kills, 150u);
  EXPECT_GT(unseen, 50);
  EXPECT_GT(shown, 5);
}

// Two that were published and not told of, and one whose process died before its marker.
void leave_behind(OnDisk& world) {
  world.begin();
  world.services.publish_errors = PublishErrors::defer;
  world.told->failures = 2;
  for (const char* bid : {"custom-one", "custom-two"}) {
    BundleRef ref = reference(bid);
    const auto storage = world.storage();
    const auto bundle = storage->start(ref, world.recipe);
    add(*bundle, "https://h/a", bid);
    bundle->finish(Json::object());
  }
  world.told->failures = 0;
  const std::string record = to_text({.ref = reference("custom-dead"),
                                      .written = "x",
                                      .marker = Marker{"", "none", "t"},
                                      .owner = dead_owner()});
  world.store->put("out/_pending/default/custom-dead.json", as_bytes(record));
}

// Tells by a line in a file, which outlives the process that tells.
class ToldOnDisk : public Told {
 public:
  explicit ToldOnDisk(std::string path) : path_(std::move(path)) {}
  void publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) override {
    Told::publish(sealed, recipe_id, call);
    std::ofstream{path_, std::ios::app} << sealed.ref.bid << '\n';
  }
  std::map<std::string, int> times() const {
    std::map<std::string, int> times;
    std::ifstream lines{path_};
    for (std::string line; std::getline(lines, line);) ++times[line];
    return times;
  }

 private:
  std::string path_;
};

// At least once each, and of each only what is true: the published stay as they were, the dead one is
// dropped.
void expect_recovered(OnDisk& world, const ToldOnDisk& told, std::size_t stop) {
  const auto times = told.times();
  ASSERT_EQ(times.size(), 2u) << "killed at stop " << stop;
  for (const char* bid : {"custom-one", "custom-two"}) {
    ASSERT_GE(times.at(bid), 1) << "killed at stop " << stop;
    const auto seen = world.visible(bid);
    ASSERT_TRUE(seen) << "killed at stop " << stop;
    ASSERT_EQ(*seen, (std::map<std::string, std::string>{{"a", bid}}));
  }
  ASSERT_EQ(world.pending(), Names{}) << "killed at stop " << stop;
  ASSERT_EQ(world.leftovers(), Names{}) << "killed at stop " << stop;
}

// At every fifth stop: each needs two bundles on disk anew.
TEST(ObjectBundles, recovery_killed_at_any_of_its_system_calls_ends_the_same) {
  OnDisk world;
  TemporaryFolder other;
  const auto told = std::make_shared<ToldOnDisk>(other / "told");
  world.told = told;
  std::size_t kills = 0;
  const auto killed = [&](std::size_t stop) {
    leave_behind(world);
    fs::remove(other / "told");
    return penstock::test::kill_at_system_call(stop, [&] { world.storage()->recover(world.recipe); });
  };
  for (std::size_t stop = 0; killed(stop); stop += 5, ++kills) {
    world.storage()->recover(world.recipe);
    expect_recovered(world, *told, stop);
    if (HasFatalFailure()) return;
  }
  std::printf("killed at %zu stops\n", kills);
  EXPECT_GT(kills, 20u);
}

TEST(ObjectBundles, recovery_killed_20_times_in_a_row_ends_the_same) {
  OnDisk world;
  TemporaryFolder other;
  const auto told = std::make_shared<ToldOnDisk>(other / "told");
  world.told = told;
  leave_behind(world);
  fs::remove(other / "told");
  std::size_t killed = 0;
  for (std::size_t i = 0; i < 20; ++i)
    killed += penstock::test::kill_at_system_call(4 * i, [&] { world.storage()->recover(world.recipe); });
  EXPECT_EQ(killed, 20u)
      << "a recovery that has nothing left to do takes fewer system calls: kill it earlier";
  world.storage()->recover(world.recipe);
  expect_recovered(world, *told, killed);
}

}  // namespace
}  // namespace penstock::bundles::test
