#include "penstock/store/folder_store.h"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "penstock/disk/file_lock.h"
#include "penstock/disk/publish.h"
#include "penstock/disk/system_error.h"
#include "penstock/store/folder_listing.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/kill_sweep.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::store {
namespace {

using test::error_of;
using test::read_file;
using test::TemporaryFolder;
using test::write_file;
namespace fs = std::filesystem;

using Names = std::vector<std::string>;

struct FolderStoreTest : ::testing::Test {
  TemporaryFolder scratch;
  FolderStore store{scratch / "root"};
  std::string root = scratch / "root";

  Receipt put(std::string_view key, std::string_view text, const WriteOptions& options = {}) {
    return store.put(key, as_bytes(text), options);
  }
  Names keys(std::string_view prefix = {}) {
    Names keys;
    for (auto listing = store.list(prefix); auto meta = listing->next();) keys.push_back(meta->key);
    return keys;
  }
};

TEST_F(FolderStoreTest, AnObjectIsAPlainFileUnderTheRoot) {
  Receipt receipt = put("a/b c.txt", "hello");
  EXPECT_EQ(read_file(root + "/a/b c.txt"), "hello");
  EXPECT_EQ(receipt.location, "file://" + root + "/a/b%20c.txt");
  EXPECT_EQ(receipt.mode, "folder");
}

TEST_F(FolderStoreTest, NoKeyLeavesTheRoot) {
  write_file(scratch / "outside", "secret");
  for (const char* key : {"../outside", "a/../../outside", "/etc/passwd", "..", "a/..", "./../outside"}) {
    EXPECT_EQ(error_of([&] { put(key, "x"); }).kind(), Kind::refused) << key;
    EXPECT_EQ(error_of([&] { store.get(key); }).kind(), Kind::refused) << key;
    EXPECT_EQ(error_of([&] { store.remove(key); }).kind(), Kind::refused) << key;
    EXPECT_EQ(error_of([&] { store.with_bucket(key); }).kind(), Kind::refused) << key;
  }
  EXPECT_EQ(read_file(scratch / "outside"), "secret");
  EXPECT_EQ(scratch.names(), (Names{"outside", "root"}));
}

TEST_F(FolderStoreTest, NoLinkLeavesTheRoot) {
  fs::create_directory(scratch / "elsewhere");
  write_file(scratch / "elsewhere/secret", "secret");
  fs::create_directory_symlink(scratch / "elsewhere", root + "/folder");
  fs::create_symlink(scratch / "elsewhere/secret", root + "/file");
  put("plain", "x");
  for (const char* key : {"folder/secret", "folder/new", "file"}) {
    EXPECT_EQ(error_of([&] { store.get(key); }).facts().code, disk::code::kSymlink) << key;
    EXPECT_EQ(error_of([&] { store.find(key); }).facts().code, disk::code::kSymlink) << key;
    EXPECT_EQ(error_of([&] { store.remove(key); }).facts().code, disk::code::kSymlink) << key;
  }
  EXPECT_EQ(error_of([&] { put("folder/new", "x"); }).facts().code, disk::code::kSymlink);
  put("file", "mine");  // replaces the link itself
  EXPECT_EQ(read_file(scratch / "elsewhere/secret"), "secret");
  EXPECT_EQ(keys(), (Names{"file", "plain"}));
}

TEST_F(FolderStoreTest, UnfinishedFilesAreHiddenAndTheirNamesAreRefused) {
  auto writer = store.open_writer("a/k");
  writer->write(as_bytes("x"));
  EXPECT_EQ(keys(), Names{});
  for (const char* key : {".penstock-x", "a/.penstock-x", ".penstock-x/b"}) {
    EXPECT_EQ(error_of([&] { put(key, "x"); }).kind(), Kind::refused) << key;
  }
  put("a.penstock-x", "x");
  writer->finish();
  EXPECT_EQ(keys(), (Names{"a.penstock-x", "a/k"}));
}

TEST_F(FolderStoreTest, AKilledWriterLeavesTheFormerObjectAndAHiddenFileAtMost) {
  const std::string fresh = test::random_bytes(50'000);
  std::string path = scratch / "root/a/k";
  auto seen_by_another = [&] { return FolderStore{root}.head("a/k").bytes; };
  std::size_t kills = test::kill_at_every_system_call(
      [&] {
        fs::remove_all(root);
        FolderStore{root}.put("a/k", as_bytes("old"));
      },
      [&] { FolderStore{root}.put("a/k", as_bytes(fresh), {.metadata = {{"taskid", "t"}}}); },
      [&](std::size_t k) {
        std::string seen = read_file(path);
        ASSERT_TRUE(seen == "old" || seen == fresh) << "killed at stop " << k;
        ASSERT_EQ(seen_by_another(), seen.size());
        FolderStore after{root};
        auto listing = after.list();
        ASSERT_EQ(listing->next()->key, "a/k");
        ASSERT_FALSE(listing->next());
        if (seen == fresh) {
          ASSERT_EQ(after.head("a/k").metadata.at("taskid"), "t");
        }
      });
  EXPECT_GT(kills, 20u);
}

TEST_F(FolderStoreTest, AFifoOrSocketIsNoObject) {
  ASSERT_EQ(::mkfifo((root + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { store.get("fifo"); }).kind(), Kind::refused);
  EXPECT_EQ(keys(), Names{});
}

TEST_F(FolderStoreTest, AFolderIsNoObjectToReadersAndAConflictToWriters) {
  put("a/b", "x");
  EXPECT_FALSE(store.exists("a"));
  EXPECT_EQ(error_of([&] { store.get("a"); }).kind(), Kind::missing);
  EXPECT_EQ(error_of([&] { put("a", "x"); }).kind(), Kind::conflict);
  store.remove("a");
  EXPECT_TRUE(store.exists("a/b"));
}

TEST_F(FolderStoreTest, EveryVersionHasItsOwnETagHoweverFastTheyFollow) {
  std::set<std::string> etags;
  for (int i = 0; i < 200; ++i) etags.insert(put("k", "same").etag);
  EXPECT_EQ(etags.size(), 200u);
}

TEST_F(FolderStoreTest, ARewriteByAnotherProgramChangesTheETagAndDropsTheDigests) {
  Hasher hasher{Algorithm::sha256};
  hasher.update(as_bytes("hello"));
  Receipt receipt = put("k", "hello", {.expected = {hasher.digest()}, .metadata = {{"n", "v"}}});
  ASSERT_EQ(store.head("k").digests.at("sha256"), hasher.digest().hex());
  write_file(root + "/k", "jello!");
  ObjectMeta meta = store.head("k");
  EXPECT_NE(meta.etag, receipt.etag);
  EXPECT_TRUE(meta.digests.empty());
  EXPECT_EQ(meta.metadata.at("n"), "v");
}

TEST_F(FolderStoreTest, AnAttributeOfRubbishIsAsGoodAsNone) {
  put("k", "x");
  const std::string rubbish[] = {"", "no-nul", std::string("content-type\0", 13), std::string("\0\0\0", 3),
                                 test::random_bytes(500)};
  for (const std::string& text : rubbish) {
    ASSERT_EQ(::setxattr((root + "/k").c_str(), "user.penstock", text.data(), text.size(), 0), 0);
    EXPECT_EQ(store.head("k").bytes, 1u);
    EXPECT_EQ(store.head("k").content_type, "");
  }
}

TEST_F(FolderStoreTest, IfMatchAndOverwriteWaitForTheFoldersLock) {
  Receipt first = put("a/k", "first");
  auto held = std::make_optional<disk::FileLock>(disk::Folder::open(root + "/a"), disk::Lock::exclusive);
  Call soon{.deadline = Deadline::after(std::chrono::milliseconds{30})};
  Error late = error_of([&] { store.put("a/k", as_bytes("x"), {.mode = Mode::if_match(first.etag)}, soon); });
  EXPECT_EQ(late.facts().code, code::kDeadline);
  EXPECT_EQ(error_of([&] { store.put("a/k", as_bytes("x"), {}, soon); }).facts().code, code::kDeadline);
  held.reset();
  put("a/k", "second", {.mode = Mode::if_match(first.etag)});
  EXPECT_EQ(read_file(root + "/a/k"), "second");
}

TEST_F(FolderStoreTest, AListingWithSmallBatchesIsTheSame) {
  for (int i = 0; i < 57; ++i) put("d" + std::to_string(i % 5) + "/k" + std::to_string(i), "x");
  for (int i = 0; i < 23; ++i) put("f" + std::to_string(i), "x");
  Names whole = keys();
  ASSERT_EQ(whole.size(), 80u);
  for (std::size_t batch : {1u, 2u, 7u, 80u}) {
    FolderListing listing(disk::Folder::open(root), "", "", {}, batch);
    Names seen;
    while (auto meta = listing.next()) seen.push_back(meta->key);
    EXPECT_EQ(seen, whole) << "batch " << batch;
  }
}

TEST_F(FolderStoreTest, AListingGoesOnPastWhatIsRemovedMeanwhile) {
  for (const char* key : {"a/1", "b/1", "c", "d"}) put(key, "x");
  auto listing = store.list();
  EXPECT_EQ(listing->next()->key, "a/1");
  fs::remove_all(root + "/b");
  fs::remove(root + "/c");
  EXPECT_EQ(listing->next()->key, "d");
  EXPECT_FALSE(listing->next());
}

TEST_F(FolderStoreTest, FilesWhoseNamesAreNoKeysAreLeftOut) {
  write_file(root + "/bad\xff", "x");
  write_file(root + "/good", "x");
  EXPECT_EQ(keys(), Names{"good"});
}

TEST_F(FolderStoreTest, ABucketIsASubfolder) {
  store.with_bucket("b")->put("k", as_bytes("x"));
  EXPECT_EQ(keys(), Names{"b/k"});
  EXPECT_EQ(store.with_bucket("b")->location("k"), "file://" + root + "/b/k");
}

TEST_F(FolderStoreTest, AMissingRootIsMadeOrIsAnError) {
  FolderStore made{scratch / "new/deep"};
  EXPECT_TRUE(fs::is_directory(scratch / "new/deep"));
  EXPECT_EQ(error_of([&] { FolderStore{scratch / "none", {.make = false}}; }).kind(), Kind::missing);
}

}  // namespace
}  // namespace penstock::store
