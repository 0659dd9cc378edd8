// What a folder of bundles keeps of those that were never completed, and for how long.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/folder_staging.h"
#include "penstock/bundles/zip_bundles.h"

#include "bundles/storages.h"
#include "support/errors.h"
#include "support/random_bytes.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;
using penstock::test::read_file;
using penstock::test::write_file;

void make_old(const fs::path& path) {
  const timespec long_ago[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0},
                                {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
}

// A bundle of a process that died.
fs::path left_by_the_dead(const TemporaryFolder& folder) {
  const fs::path staged = folder / ".penstock/0123456789abcdef/custom-one";
  fs::create_directories(staged);
  write_file(staged / "a", "x");
  write_file(staged / "a.meta", "{}");
  fs::create_directories(folder / "bundle_custom-one");
  return staged;
}

TEST(FolderLeftovers, of_a_bundle_that_was_long_silent_are_kept_from_when_they_are_moved) {
  TemporaryFolder folder;
  make_old(left_by_the_dead(folder));
  FolderBundles storage{folder.path()};
  EXPECT_EQ(storage.sweep(), 1u);
  EXPECT_EQ(read_file(folder / "incomplete_custom-one/a"), "x");
}

TEST(FolderLeftovers, that_were_sealed_have_no_file_that_readers_trust) {
  TemporaryFolder folder;
  write_file(left_by_the_dead(folder) / "bundle.meta", "{}");
  FolderBundles storage{folder.path()};
  EXPECT_EQ(storage.sweep(), 1u);
  EXPECT_FALSE(fs::exists(folder / "incomplete_custom-one/bundle.meta"));
  EXPECT_TRUE(fs::exists(folder / "incomplete_custom-one/a.meta"));
}

TEST(FolderLeftovers, that_a_stopped_start_did_not_sweep_are_swept_by_the_next) {
  TemporaryFolder folder;
  left_by_the_dead(folder);
  FolderBundles storage{folder.path()};
  std::stop_source stop;
  stop.request_stop();
  BundleRef ref = reference("custom-two");
  EXPECT_EQ(error_of([&] { storage.start(ref, {}, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  EXPECT_FALSE(fs::exists(folder / "incomplete_custom-one"));
  storage.start(ref, {})->abort("the test");
  EXPECT_TRUE(fs::exists(folder / "incomplete_custom-one"));
}

TEST(FolderLeftovers, are_only_what_has_the_name_of_one) {
  TemporaryFolder folder;
  for (const char* name : {"incomplete_downloads", "incomplete_", "incomplete_custom-one~2",
                           "incomplete_17571960-2065-e0cd-cf71-8196d8577b7e"}) {
    fs::create_directories(folder / name);
    make_old(folder / name);
  }
  FolderBundles{folder.path()}.sweep();
  EXPECT_TRUE(fs::exists(folder / "incomplete_downloads"));
  EXPECT_TRUE(fs::exists(folder / "incomplete_"));
  EXPECT_FALSE(fs::exists(folder / "incomplete_custom-one~2"));
  EXPECT_FALSE(fs::exists(folder / "incomplete_17571960-2065-e0cd-cf71-8196d8577b7e"));
}

TEST(FolderLeftovers, what_another_thread_has_staged_under_a_bid_is_its_own) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  BundleRef first = reference("custom-first"), ref = reference();
  const auto open = storage.start(first, {});
  fs::path instance;
  for (const auto& entry : fs::directory_iterator(folder / ".penstock"))
    if (entry.path().filename().string().size() == 16) instance = entry.path();
  fs::create_directories(instance / "custom-one");  // between that thread's mkdir and its claim
  write_file(instance / "custom-one/a", "another's");
  EXPECT_EQ(error_of([&] { storage.start(ref, {}); }).facts().code, code::kAlreadyOpen);
  EXPECT_EQ(read_file(instance / "custom-one/a"), "another's");
  EXPECT_FALSE(fs::exists(folder / "bundle_custom-one"));
}

TEST(FolderLeftovers, a_bundle_that_could_not_be_started_leaves_no_claim) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  BundleRef first = reference("custom-first"), ref = reference(), again = reference();
  const auto open = storage.start(first, {});
  fs::remove_all(folder / ".penstock");  // where its files would be
  EXPECT_TRUE(penstock::test::error_from([&] { storage.start(ref, {})->abort("it was started"); }));
  EXPECT_FALSE(fs::exists(folder / "bundle_custom-one"));
  FolderBundles{folder.path()}.start(again, {})->finish(Json::object());
}

TEST(FolderLeftovers, a_zip_under_way_is_left_to_the_parent_by_a_forked_child) {
  TemporaryFolder folder;
  FolderBundles base{folder.path()};
  ZipBundles storage{base};
  BundleRef ref = reference();
  auto bundle = storage.start(ref, {});
  add(*bundle, "https://h/a",
      penstock::test::random_bytes(4 << 20));  // more than waits in the pipe: its thread reads
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    bundle.reset();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bundle->finish(Json::object()).resources_stored, 1u);
  EXPECT_TRUE(fs::exists(folder / "bundle_custom-one/bundle.zip"));
}

}  // namespace
}  // namespace penstock::bundles::test
