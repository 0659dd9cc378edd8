#include "penstock/disk/file_sink.h"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/disk/system_error.h"

#include "support/child.h"
#include "support/errors.h"
#include "support/kill_sweep.h"
#include "support/random_bytes.h"
#include "support/small_tmpfs.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;
using test::read_file;
using test::TemporaryFolder;
using test::write_file;
namespace fs = std::filesystem;

using Names = std::vector<std::string>;

void put(const std::string& path, std::string_view text, Existing existing = Existing::replace) {
  FileSink sink(path, existing);
  sink.write(as_bytes(text));
  sink.finish();
}

TEST(FileSink, IsHiddenUntilFinishAndWholeAfter) {
  TemporaryFolder scratch;
  FileSink sink(scratch / "file");
  sink.write(as_bytes("hello "));
  sink.write(as_bytes("world"));
  EXPECT_FALSE(fs::exists(scratch / "file"));
  Receipt receipt = sink.finish();
  EXPECT_EQ(read_file(scratch / "file"), "hello world");
  EXPECT_EQ(receipt.bytes, 11u);
  EXPECT_EQ(receipt.location, "file://" + (scratch / "file"));
  EXPECT_EQ(scratch.names(), Names{"file"});
}

TEST(FileSink, AbortAndDyingLeaveNothingAndKeepWhatWasThere) {
  TemporaryFolder scratch;
  write_file(scratch / "file", "old");
  {
    FileSink dies(scratch / "file");
    dies.write(as_bytes("new"));
  }
  FileSink aborted(scratch / "file");
  aborted.write(as_bytes("new"));
  aborted.abort("a test");
  aborted.abort("again");
  EXPECT_EQ(read_file(scratch / "file"), "old");
  EXPECT_EQ(scratch.names(), Names{"file"});
}

TEST(FileSink, ReplaceReplacesAndRefuseIsAConflict) {
  TemporaryFolder scratch;
  put(scratch / "file", "one");
  put(scratch / "file", "two");
  EXPECT_EQ(read_file(scratch / "file"), "two");
  Error error = error_of([&] { put(scratch / "file", "three", Existing::refuse); });
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(error.facts().code, code::kExists);
  EXPECT_EQ(read_file(scratch / "file"), "two");
  EXPECT_EQ(scratch.names(), Names{"file"});
}

TEST(FileSink, OfSixteenCreatorsExactlyOneWins) {
  TemporaryFolder scratch;
  std::atomic<int> won = 0, lost = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      try {
        put(scratch / "file", std::to_string(i), Existing::refuse);
        ++won;
      } catch (const Error& error) {
        if (error.kind() == Kind::conflict) ++lost;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 15);
  EXPECT_EQ(scratch.names(), Names{"file"});
}

TEST(FileSink, ALinkAtThePathIsReplacedNeverWrittenThrough) {
  TemporaryFolder scratch, outside;
  write_file(outside / "secret", "untouched");
  fs::create_symlink(outside / "secret", scratch / "file");
  put(scratch / "file", "new");
  EXPECT_EQ(read_file(outside / "secret"), "untouched");
  EXPECT_FALSE(fs::is_symlink(scratch / "file"));
  EXPECT_EQ(read_file(scratch / "file"), "new");
}

TEST(FileSink, ANameThatIsAFolderIsATypedErrorAndLeavesNothing) {
  TemporaryFolder scratch;
  fs::create_directory(scratch / "folder");
  EXPECT_EQ(error_of([&] { put(scratch / "folder", "x"); }).facts().code, code::kIsAFolder);
  EXPECT_EQ(error_of([&] { put(scratch / "none/x", "x"); }).kind(), Kind::missing);
  EXPECT_EQ(scratch.names(), Names{"folder"});
}

TEST(FileSink, AStopEndsWriteAndFinishWithNothingVisible) {
  TemporaryFolder scratch;
  std::stop_source stop;
  {
    FileSink sink(scratch / "file", Existing::replace, Call{.stop = stop.get_token()});
    sink.write(as_bytes("some"));
    stop.request_stop();
    EXPECT_EQ(error_of([&] { sink.write(as_bytes("more")); }).kind(), Kind::cancelled);
    EXPECT_EQ(error_of([&] { sink.finish(); }).kind(), Kind::cancelled);
  }
  EXPECT_TRUE(scratch.names().empty());
}

TEST(FileSink, KilledAtAnySystemCallShowsTheOldFileOrTheNewNeverAPart) {
  TemporaryFolder scratch;
  const std::string old = "old", fresh = test::random_bytes(200'000);
  std::string path = scratch / "file";
  int kept = 0, replaced = 0;
  std::size_t kills = test::kill_at_every_system_call(
      [&] {
        for (const std::string& name : scratch.names()) fs::remove(scratch / name);
        write_file(path, old);
      },
      [&] { put(path, fresh); },
      [&](std::size_t k) {
        std::string seen = read_file(path);
        ASSERT_TRUE(seen == old || seen == fresh)
            << "killed at stop " << k << ": " << seen.size() << " bytes";
        ++(seen == old ? kept : replaced);
      });
  EXPECT_GT(kills, 12u);  // create, write, fsync, rename, fsync, closes: each twice
  EXPECT_GT(kept, 0);
  EXPECT_GT(replaced, 0);
  EXPECT_EQ(read_file(path), fresh);
}

TEST(FileSink, KilledWhileCreatingShowsNothingOrAll) {
  TemporaryFolder scratch;
  const std::string fresh = test::random_bytes(5'000);
  std::string path = scratch / "file";
  test::kill_at_every_system_call(
      [&] {
        for (const std::string& name : scratch.names()) fs::remove(scratch / name);
      },
      [&] { put(path, fresh, Existing::refuse); },
      [&](std::size_t k) {
        if (fs::exists(path)) {
          ASSERT_EQ(read_file(path), fresh) << "killed at stop " << k;
        }
      });
  EXPECT_EQ(read_file(path), fresh);
}

TEST(PublishFolder, KilledAtAnySystemCallShowsNothingOrAll) {
  TemporaryFolder scratch;
  std::size_t kills = test::kill_at_every_system_call(
      [&] {
        fs::remove_all(scratch / "staged");
        fs::remove_all(scratch / "final");
        fs::create_directories(scratch / "staged/sub");
        write_file(scratch / "staged/a", "a");
        write_file(scratch / "staged/sub/b", "b");
      },
      [&] { publish_folder(Folder::open(scratch.path()), "staged", "final"); },
      [&](std::size_t k) {
        bool before = fs::exists(scratch / "staged"), after = fs::exists(scratch / "final");
        ASSERT_NE(before, after) << "killed at stop " << k;
        ASSERT_EQ(read_file(scratch / (after ? "final/sub/b" : "staged/sub/b")), "b");
      });
  EXPECT_GT(kills, 20u);
  EXPECT_EQ(read_file(scratch / "final/a"), "a");
}

TEST(PublishFolder, ATakenNameIsAConflictAndBothStay) {
  TemporaryFolder scratch;
  fs::create_directories(scratch / "staged");
  fs::create_directories(scratch / "final");
  write_file(scratch / "final/kept", "k");
  Error error = error_of([&] { publish_folder(Folder::open(scratch.path()), "staged", "final"); });
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(scratch.names(), (Names{"final", "final/kept", "staged"}));
}

TEST(WriteAll, GoesOnAfterShortWritesAndSignals) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Descriptor in{ends[0]}, out{ends[1]};
  struct sigaction quiet{};
  quiet.sa_handler = [](int) {};  // no SA_RESTART: a blocked write returns EINTR or short
  struct sigaction former{};
  ::sigaction(SIGUSR1, &quiet, &former);
  const std::string sent = test::random_bytes(1'000'000);
  pthread_t writer = ::pthread_self();
  std::string got;
  std::thread reader([&] {
    char buffer[7001];
    while (got.size() < sent.size()) {
      ::pthread_kill(writer, SIGUSR1);
      ssize_t n = ::read(in.get(), buffer, sizeof buffer);
      if (n <= 0) return;
      got.append(buffer, static_cast<std::size_t>(n));
    }
  });
  write_all(out.get(), as_bytes(sent), "a pipe");
  reader.join();
  ::sigaction(SIGUSR1, &former, nullptr);
  EXPECT_EQ(got, sent);
}

TEST(WriteAll, AFullDeviceIsBusyAndSaysWhatToDo) {
  Descriptor full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  ASSERT_TRUE(full);
  Error error = error_of([&] { write_all(full.get(), as_bytes("x"), "/dev/full"); });
  EXPECT_EQ(error.kind(), Kind::busy);
  EXPECT_EQ(error.facts().code, code::kNoSpace);
  EXPECT_NE(error.message().find("make room"), std::string::npos) << error.message();
}

TEST(FileSink, ARealFullDiskIsBusyTheOldFileStaysAndTheRoomComesBack) {
  TemporaryFolder scratch;
  int status = test::in_small_tmpfs(scratch.path(), [&] {
    put(scratch / "file", "old");
    const std::string big = test::random_bytes(3'000'000);
    for (int round = 0; round < 2; ++round) {
      Error error = error_of([&] { put(scratch / "file", big); });
      if (error.kind() != Kind::busy || error.facts().code != code::kNoSpace) return false;
      if (read_file(scratch / "file") != "old" || scratch.names().size() != 1) return false;
    }
    put(scratch / "file", big.substr(0, 800'000));  // fits only if the failures gave their room back
    return read_file(scratch / "file").size() == 800'000;
  });
  if (status == test::kMayNotMount)
    GTEST_SKIP() << "mounting a tmpfs needs root: run the tests by sudo, or `unshare -rm`";
  EXPECT_EQ(status, 0);
}

TEST(FileSink, AForkedChildNeitherEndsNorHarmsItsParentsFile) {
  TemporaryFolder scratch;
  auto sink = std::make_unique<FileSink>(scratch / "file");
  sink->write(as_bytes("of the parent"));
  const auto child = test::in_child([&] {
    try {
      sink->finish();
      return 1;
    } catch (const std::logic_error&) {
    }
    sink.reset();
    return 0;
  });
  EXPECT_EQ(child.code, 0);
  sink->finish();
  EXPECT_EQ(read_file(scratch / "file"), "of the parent");
  EXPECT_EQ(scratch.names().size(), 1U);
}

TEST(FileSink, OverTheLimitOnFileSizeIsRefused) {
  TemporaryFolder scratch;
  pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Error error = error_of([&] { put(scratch / "file", std::string(200'000, 'x')); });
    ::_exit(error.kind() == Kind::refused && error.facts().code == penstock::code::kTooLarge ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(scratch.names().empty());
}

}  // namespace
}  // namespace penstock::disk
