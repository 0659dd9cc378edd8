#include "penstock/disk/file_source.h"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;
using test::TemporaryFolder;

std::string read_rest(Source& source, std::size_t step = 64 * 1024) {
  std::string all, buffer(step, '\0');
  while (std::size_t n = source.read(std::as_writable_bytes(std::span{buffer}))) all.append(buffer, 0, n);
  return all;
}

struct FileSourceTest : ::testing::Test {
  TemporaryFolder scratch;
  std::string path = scratch / "file";
  std::string content = test::random_bytes(100'003);
  void SetUp() override { test::write_file(path, content); }
};

TEST_F(FileSourceTest, GivesTheWholeFileAndThenTheEndHoweverOftenAsked) {
  FileSource source(path);
  EXPECT_EQ(source.remaining(), content.size());
  EXPECT_EQ(read_rest(source), content);
  EXPECT_EQ(source.remaining(), 0u);
  EXPECT_EQ(read_rest(source), "");
}

TEST_F(FileSourceTest, OneByteAtATimeIsTheSame) {
  test::write_file(path, content.substr(0, 300));
  FileSource source(path);
  EXPECT_EQ(read_rest(source, 1), content.substr(0, 300));
}

TEST_F(FileSourceTest, AnEmptyFileIsItsEnd) {
  test::write_file(path, "");
  FileSource source(path);
  EXPECT_EQ(source.remaining(), 0u);
  EXPECT_EQ(read_rest(source), "");
}

TEST_F(FileSourceTest, RewindGivesTheSameBytesAgainFromEveryPlace) {
  for (std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{50'000}, content.size()}) {
    FileSource source(path);
    std::string skipped(at, '\0');
    EXPECT_EQ(read_full(source, std::as_writable_bytes(std::span{skipped})), at);
    source.mark();
    std::string first = read_rest(source);
    source.rewind();
    EXPECT_EQ(source.remaining(), content.size() - at);
    EXPECT_EQ(read_rest(source), first);
    EXPECT_EQ(skipped + first, content);
  }
}

TEST_F(FileSourceTest, SeekReadsOnlyThePart) {
  FileSource source(path);
  source.seek(10, 20);
  EXPECT_EQ(source.remaining(), 20u);
  EXPECT_EQ(read_rest(source), content.substr(10, 20));
  source.seek(content.size());
  EXPECT_EQ(read_rest(source), "");
  EXPECT_EQ(error_of([&] { source.seek(content.size() + 1); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([&] { source.seek(1, content.size()); }).kind(), Kind::refused);
}

TEST_F(FileSourceTest, AFileThatShrinksIsCorruptNeverAShortEnd) {
  FileSource source(path);
  std::string some(1000, '\0');
  ASSERT_EQ(read_full(source, std::as_writable_bytes(std::span{some})), 1000u);
  ASSERT_EQ(::truncate(path.c_str(), 500), 0);
  Error error = error_of([&] { read_rest(source); });
  EXPECT_EQ(error.kind(), Kind::corrupt);
  EXPECT_EQ(error.facts().code, code::kShrunk);
  EXPECT_EQ(error.facts().side, Side::source);
}

TEST_F(FileSourceTest, AFileRewrittenInPlaceIsAConflict) {
  FileSource source(path);
  source.mark();
  std::string other = test::random_bytes(content.size(), 2);
  test::write_file(path, other);
  timespec times[2] = {{0, UTIME_OMIT}, {1'000'000'000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(error_of([&] { read_rest(source); }).facts().code, penstock::code::kChanged);
  EXPECT_EQ(error_of([&] { source.rewind(); }).kind(), Kind::conflict);
}

TEST_F(FileSourceTest, AFileReplacedByAnotherIsReadToItsOwnEnd) {
  FileSource source(path);
  std::filesystem::remove(path);
  test::write_file(path, "other");
  EXPECT_EQ(read_rest(source), content);
}

TEST_F(FileSourceTest, WhatCannotBeReadIsATypedError) {
  EXPECT_EQ(error_of([&] { FileSource(scratch / "none"); }).kind(), Kind::missing);
  EXPECT_EQ(error_of([&] { FileSource(scratch.path()); }).facts().code, code::kIsAFolder);
  EXPECT_EQ(error_of([&] { FileSource(std::string{"/dev/null"}); }).facts().code, code::kNotAFile);
}

TEST_F(FileSourceTest, AStopEndsTheNextRead) {
  std::stop_source stop;
  FileSource source(path, Call{.stop = stop.get_token()});
  stop.request_stop();
  EXPECT_EQ(error_of([&] { read_rest(source); }).kind(), Kind::cancelled);
}

TEST_F(FileSourceTest, RewindWithoutAMarkIsAProgrammersMistake) {
  FileSource source(path);
  EXPECT_THROW(source.rewind(), std::logic_error);
}

}  // namespace
}  // namespace penstock::disk
