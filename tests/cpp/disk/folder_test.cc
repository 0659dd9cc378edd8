#include "penstock/disk/folder.h"

#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "penstock/disk/system_error.h"

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;
using test::TemporaryFolder;
namespace fs = std::filesystem;

TEST(Folder, MakesWhatIsMissingOneComponentAtATime) {
  TemporaryFolder scratch;
  Folder made = Folder::open(scratch.path()).make_folder("a/b/c");
  EXPECT_TRUE(fs::is_directory(scratch / "a/b/c"));
  EXPECT_EQ(made.path(), scratch / "a/b/c");
}

TEST(Folder, RefusesPathsThatAreNotPlain) {
  TemporaryFolder scratch;
  Folder folder = Folder::open(scratch.path());
  const std::string bad[] = {"",
                             "/",
                             "/a",
                             "a/",
                             "a//b",
                             ".",
                             "..",
                             "a/..",
                             "./a",
                             "a/../../b",
                             std::string("a\0b", 3),
                             std::string(256, 'x')};
  for (const std::string& path : bad) {
    EXPECT_EQ(error_of([&] { check_relative(path); }).kind(), Kind::refused) << path;
    if (!path.empty()) {
      EXPECT_EQ(error_of([&] { folder.make_folder(path); }).kind(), Kind::refused) << path;
      EXPECT_EQ(error_of([&] { folder.find_folder(path); }).kind(), Kind::refused) << path;
    }
  }
  EXPECT_TRUE(scratch.names().empty());
}

TEST(Folder, AcceptsTheLongestComponent) {
  TemporaryFolder scratch;
  Folder::open(scratch.path()).make_folder(std::string(255, 'x') + "/" + std::string(255, 'y'));
  EXPECT_EQ(scratch.names().size(), 2u);
}

TEST(Folder, ALinkInThePathIsRefusedEvenIfItStaysInside) {
  TemporaryFolder scratch, outside;
  Folder folder = Folder::open(scratch.path());
  folder.make_folder("real/deep");
  fs::create_directory_symlink(outside.path(), scratch / "out");
  fs::create_directory_symlink("real", scratch / "in");
  for (const char* path : {"out", "in", "in/deep"}) {
    Error error = error_of([&] { folder.find_folder(path); });
    EXPECT_EQ(error.kind(), Kind::refused) << path;
    EXPECT_EQ(error.facts().code, code::kSymlink) << path;
    EXPECT_EQ(error_of([&] { folder.make_folder(path); }).facts().code, code::kSymlink) << path;
  }
}

TEST(Folder, ALinkInPlaceOfAFileIsRefused) {
  TemporaryFolder scratch, outside;
  test::write_file(outside / "secret", "s");
  fs::create_symlink(outside / "secret", scratch / "link");
  Error error = error_of([&] { Folder::open(scratch.path()).open_file("link"); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kSymlink);
}

TEST(Folder, AFileInTheWayIsAConflictWhenMakingAndAbsentWhenLooking) {
  TemporaryFolder scratch;
  test::write_file(scratch / "f", "x");
  Folder folder = Folder::open(scratch.path());
  EXPECT_EQ(error_of([&] { folder.make_folder("f/g"); }).kind(), Kind::conflict);
  EXPECT_FALSE(folder.find_folder("f/g").has_value());
  EXPECT_FALSE(folder.find_folder("none/g").has_value());
  EXPECT_EQ(error_of([&] { folder.folder("none"); }).kind(), Kind::missing);
}

TEST(Folder, OpeningAFifoIsRefusedAndDoesNotWait) {
  TemporaryFolder scratch;
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  Error error = error_of([&] { Folder::open(scratch.path()).open_file("fifo"); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kNotAFile);
}

TEST(Folder, StaysOnTheSameFolderWhenItIsMoved) {
  TemporaryFolder scratch;
  Folder held = Folder::open(scratch.path()).make_folder("before");
  fs::rename(scratch / "before", scratch / "after");
  held.make_folder("x");
  EXPECT_TRUE(fs::exists(scratch / "after/x"));
}

TEST(Folder, ListsEveryEntryOnceHoweverOftenAsked) {
  TemporaryFolder scratch;
  test::write_file(scratch / "a", "x");
  fs::create_directory(scratch / "b");
  fs::create_symlink("a", scratch / "c");
  Folder folder = Folder::open(scratch.path());
  for (int round = 0; round < 2; ++round) {
    std::map<std::string, Entry::Type> seen;
    each_entry(folder, [&](const Entry& entry) { seen[entry.name] = entry.type; });
    EXPECT_EQ(seen, (std::map<std::string, Entry::Type>{
                        {"a", Entry::Type::file}, {"b", Entry::Type::folder}, {"c", Entry::Type::other}}));
  }
}

TEST(SystemError, SaysWhatTheCallerDoesNext) {
  struct Row {
    int number;
    Kind kind;
    std::string_view code;
  };
  const Row rows[] = {{ENOENT, Kind::missing, "ENOENT"},      {EACCES, Kind::denied, "EACCES"},
                      {EPERM, Kind::denied, "EPERM"},         {EROFS, Kind::denied, "EROFS"},
                      {EEXIST, Kind::conflict, "exists"},     {ENOTEMPTY, Kind::conflict, "exists"},
                      {ENOSPC, Kind::busy, "no_space"},       {EDQUOT, Kind::busy, "no_space"},
                      {EMFILE, Kind::busy, "EMFILE"},         {EIO, Kind::corrupt, "EIO"},
                      {ESTALE, Kind::lost, "ESTALE"},         {EFBIG, Kind::refused, "too_large"},
                      {ELOOP, Kind::refused, "symlink"},      {ENOTDIR, Kind::refused, "not_a_folder"},
                      {EISDIR, Kind::refused, "is_a_folder"}, {EINVAL, Kind::refused, "EINVAL"}};
  for (const Row& row : rows) {
    Error error = system_error(row.number, "open", "/some/path", Side::source);
    EXPECT_EQ(error.kind(), row.kind) << row.number;
    EXPECT_EQ(error.facts().code, row.code) << row.number;
    EXPECT_EQ(error.facts().side, Side::source);
    EXPECT_EQ(error.facts().subject, "/some/path");
    EXPECT_EQ(error.message().rfind("cannot open /some/path: ", 0), 0u) << error.message();
  }
}

}  // namespace
}  // namespace penstock::disk
