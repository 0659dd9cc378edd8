#include "penstock/bundles/folder_bundles.h"

#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundles/storages.h"
#include "support/errors.h"
#include "support/kill_sweep.h"
#include "support/small_tmpfs.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;
using penstock::test::read_file;
using Names = std::vector<std::string>;

Names names_in(const fs::path& path) {
  Names names;
  for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(FolderBundles, have_the_files_the_format_says) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  BundleRef ref = reference("17571960-2065-e0cd-cf71-8196d8577b7e");
  const auto bundle = storage.start(ref, {});
  EXPECT_EQ(ref.storage_key, folder / "bundle_17571960-2065-e0cd-cf71-8196d8577b7e");
  for (const int page : {1, 2}) {
    const std::string body = "{\"id\":" + std::to_string(page) + "}";
    MemorySource source{as_bytes(body)};
    bundle->add({.url = "https://api.example.com/v1/siren?page=" + std::to_string(page),
                 .content_type = "application/json"},
                source);
  }
  const BundleReceipt receipt = bundle->finish({{"source", "http_api"}});
  EXPECT_EQ(receipt.manifest_sha256, "6b37a98f8824727027c62e992ca39249ac1e049632b01fc6be8fd9c10abfac01");
  const fs::path made = *ref.storage_key;
  EXPECT_EQ(names_in(made), (Names{"bundle.manifest.meta", "bundle.meta", "v1_siren", "v1_siren.meta",
                                   "v1_siren~06448de2", "v1_siren~06448de2.meta"}));
  EXPECT_EQ(sha256_hex(read_file(made / "bundle.manifest.meta")), receipt.manifest_sha256);
  const Json meta = Json::parse(read_file(made / "bundle.meta"));
  EXPECT_EQ(meta["storage_key"], *ref.storage_key);
  EXPECT_EQ(meta["bytes"], 16);
  EXPECT_EQ(meta["completion_metadata"]["source"], "http_api");
  EXPECT_EQ(Json::parse(read_file(made / "v1_siren.meta"))["size"], 8);
}

TEST(FolderBundles, for_older_readers_print_as_python_does) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path(), {.legacy_repr = true}};
  BundleRef ref = reference();
  const auto bundle = storage.start(ref, {});
  add(*bundle, "https://h/a", "x");
  bundle->finish(Json::object());
  EXPECT_EQ(read_file(folder / "bundle_custom-one/a.meta"),
            "{'url': 'https://h/a', 'content_type': 'text/plain', 'status_code': 200, 'size': 1}");
  EXPECT_TRUE(read_file(folder / "bundle_custom-one/bundle.meta").starts_with("{'bid': 'custom-one', "));
}

TEST(FolderBundles, a_bid_leads_nowhere_else) {
  TemporaryFolder folder;
  fs::create_directories(folder / "in");
  FolderBundles storage{folder / "in"};
  BundleRef ref = reference("test-../../x");
  storage.start(ref, {})->finish(Json::object());
  EXPECT_TRUE(fs::exists(folder / "in/bundle_test-..%2F..%2Fx/bundle.meta"));
  EXPECT_EQ(names_in(folder.path()), Names{"in"});
}

TEST(FolderBundles, never_completed_are_moved_aside_with_what_is_finished) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  for (int i = 0; i < 2; ++i) {
    BundleRef ref = reference();
    const auto bundle = storage.start(ref, {});
    add(*bundle, "https://h/a", std::to_string(i));
  }
  EXPECT_EQ(read_file(folder / "incomplete_custom-one/a"), "0");
  EXPECT_EQ(read_file(folder / "incomplete_custom-one~2/a"), "1");
  EXPECT_FALSE(fs::exists(folder / "bundle_custom-one"));
}

TEST(FolderBundles, moved_aside_are_removed_after_a_week) {
  TemporaryFolder folder;
  auto clock = std::make_shared<ManualClock>(Clock::system()->wall());
  FolderBundlesOptions options;
  options.services.clock = clock;
  FolderBundles storage{folder.path(), options};
  {
    BundleRef ref = reference();
    add(*storage.start(ref, {}), "https://h/a", "x");
  }
  storage.sweep();
  EXPECT_TRUE(fs::exists(folder / "incomplete_custom-one"));
  clock->set_wall(clock->wall() + std::chrono::hours{24 * 7 + 1});
  storage.sweep();
  EXPECT_FALSE(fs::exists(folder / "incomplete_custom-one"));
}

TEST(FolderBundles, a_folder_of_that_name_with_content_is_never_replaced) {
  TemporaryFolder folder;
  fs::create_directories(folder / "bundle_custom-one");
  penstock::test::write_file(folder / "bundle_custom-one/precious", "p");
  FolderBundles storage{folder.path()};
  BundleRef ref = reference();
  EXPECT_EQ(error_of([&] { storage.start(ref, {}); }).facts().code, code::kAlreadyCompleted);
  EXPECT_EQ(read_file(folder / "bundle_custom-one/precious"), "p");
}

TEST(FolderBundles, a_link_under_a_claims_name_is_not_followed) {
  TemporaryFolder folder;
  fs::create_directories(folder / "elsewhere");
  fs::create_directories(folder / "in");
  fs::create_directory_symlink(folder / "elsewhere", folder / "in/bundle_custom-one");
  FolderBundles storage{folder / "in"};
  BundleRef ref = reference();
  EXPECT_THROW(storage.start(ref, {}), Error);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

// One run: a bundle of three resources, acknowledged by a file once finish() returned.
void run_once(FolderWorld& world, const std::string& acknowledged) {
  world.recipe.on_complete = {[](const BundleRef&) {}};
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto bundle = storage->start(ref, world.recipe);
  for (const char* name : {"a", "b", "c"})
    add(*bundle, std::string{"https://h/"} + name, std::string(3000, *name));
  bundle->finish({{"k", "v"}});
  penstock::test::write_file(acknowledged, "yes");
}

TEST(FolderBundles, killed_at_any_system_call_show_nothing_or_all_and_are_recovered) {
  FolderWorld world;
  TemporaryFolder other;
  const std::string acknowledged = other / "acknowledged";
  int shown = 0, unseen = 0;
  const std::size_t kills = penstock::test::kill_at_every_system_call(
      [&] {
        for (const auto& entry : fs::directory_iterator(world.folder.path())) fs::remove_all(entry);
        fs::remove(acknowledged);
        world.told->ids.clear();
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
        ASSERT_EQ(world.leftovers(), Names{}) << "killed at stop " << k;
        ASSERT_EQ(world.pending(), Names{}) << "killed at stop " << k;
        ASSERT_EQ(world.visible(kBid).has_value(), seen.has_value());
      });
  std::printf("killed at %zu stops: %d showed nothing, %d all\n", kills, unseen, shown);
  EXPECT_GT(kills, 150u);
  EXPECT_GT(unseen, 50);
  EXPECT_GT(shown, 5);
}

TEST(FolderBundles, recovery_killed_at_any_system_call_ends_the_same) {
  FolderWorld world;
  TemporaryFolder other;
  world.recipe.on_complete = {[](const BundleRef&) {}};
  world.services.publish_errors = PublishErrors::defer;
  const std::size_t kills = penstock::test::kill_at_every_system_call(
      [&] {
        for (const auto& entry : fs::directory_iterator(world.folder.path())) fs::remove_all(entry);
        world.told->failures = 1;
        const auto storage = world.storage();
        BundleRef ref = reference();
        storage->start(ref, world.recipe)->finish(Json::object());
        world.told->ids.clear();
      },
      [&] { world.storage()->recover(world.recipe); },
      [&](std::size_t k) {
        world.storage()->recover(world.recipe);
        ASSERT_EQ(world.pending(), Names{}) << "killed at stop " << k;
        ASSERT_TRUE(world.visible(kBid)) << "killed at stop " << k;
      });
  EXPECT_GT(kills, 20u);
}

// Every line of the manifest against the bytes beside it, and the manifest against bundle.meta.
void verify(const fs::path& bundle) {
  const std::string manifest = read_file(bundle / kManifestFile);
  const Json meta = Json::parse(read_file(bundle / kBundleMeta));
  EXPECT_EQ(meta["manifest_sha256"], sha256_hex(manifest));
  std::uint64_t stored = 0, bytes = 0;
  std::istringstream lines{manifest};
  for (std::string text; std::getline(lines, text); ++stored) {
    const Json line = Json::parse(text);
    const std::string content = read_file(bundle / line["name"].get<std::string>());
    EXPECT_EQ(line["sha256"], sha256_hex(content)) << text;
    EXPECT_EQ(line["size"], content.size()) << text;
    bytes += content.size();
  }
  EXPECT_EQ(meta["resources_stored"], stored);
  EXPECT_EQ(meta["bytes"], bytes);
}

TEST(FolderBundles, of_16_processes_with_one_bid_one_completes_and_its_manifest_holds) {
  FolderWorld world;
  std::vector<pid_t> children;
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  for (int i = 0; i < 16; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(go[1]);
      char c;
      while (::read(go[0], &c, 1) > 0) continue;  // until all are there
      int outcome = 2;
      try {
        const auto storage = world.storage();
        BundleRef ref = reference();
        const auto bundle = storage->start(ref, world.recipe);
        for (const char* name : {"a", "b"})
          add(*bundle, std::string{"https://h/"} + name, std::string(1000, static_cast<char>('a' + i)));
        bundle->finish(Json::object());
        outcome = 0;
      } catch (const Error& error) {
        outcome = error.kind() == Kind::conflict ? 1 : 3;
      }
      ::_exit(outcome);
    }
    children.push_back(child);
  }
  ::close(go[0]);
  ::close(go[1]);
  std::map<int, int> outcomes;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    ++outcomes[WIFEXITED(status) ? WEXITSTATUS(status) : -1];
  }
  EXPECT_EQ(outcomes, (std::map<int, int>{{0, 1}, {1, 15}}));
  const auto seen = world.visible(kBid);
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->size(), 2u);
  EXPECT_EQ(seen->at("a"), seen->at("b")) << "both are one process's";
  verify(world.folder / ("bundle_" + kBid));
}

TEST(FolderBundles, a_forked_child_leaves_its_parents_bundle_alone) {
  FolderWorld world;
  const auto storage = world.storage();
  BundleRef ref = reference();
  auto bundle = storage->start(ref, world.recipe);
  add(*bundle, "https://h/a", "parent");
  const pid_t child = ::fork();
  if (child == 0) {
    bundle->abort("child");
    BundleRef own = reference("custom-child");
    const auto other = storage->start(own, world.recipe);
    add(*other, "https://h/a", "child");
    other->finish(Json::object());
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  bundle->finish(Json::object());
  EXPECT_EQ(world.visible(kBid)->at("a"), "parent");
  EXPECT_EQ(world.visible("custom-child")->at("a"), "child");
}

TEST(FolderBundles, a_full_disk_fails_the_add_and_its_room_comes_back) {
  TemporaryFolder folder;
  const int status = penstock::test::in_small_tmpfs(folder.path(), [&] {
    FolderBundles storage{folder.path()};
    BundleRef ref = reference();
    const auto bundle = storage.start(ref, {});
    const Error error = error_of([&] { add(*bundle, "https://h/big", std::string(3 << 20, 'x')); });
    if (error.kind() != Kind::busy || error.facts().code != "no_space") return false;
    add(*bundle, "https://h/small",
        std::string(700'000, 'y'));  // fits only if the failure gave its room back
    return bundle->finish(Json::object()).resources_stored == 1;
  });
  if (status == penstock::test::kMayNotMount)
    GTEST_SKIP() << "mounting a tmpfs needs root: run the tests by sudo, or `unshare -rm`";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace penstock::bundles::test
