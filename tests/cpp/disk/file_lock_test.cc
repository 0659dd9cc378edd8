#include "penstock/disk/file_lock.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;
using test::TemporaryFolder;

TEST(FileLock, ExclusiveExcludesWithinOneProcessAndSharedDoesNot) {
  TemporaryFolder scratch;
  Folder folder = Folder::open(scratch.path());
  auto first = FileLock::try_lock(folder, "lock", Lock::shared);
  ASSERT_TRUE(first);
  EXPECT_TRUE(FileLock::try_lock(folder, "lock", Lock::shared));
  EXPECT_FALSE(FileLock::try_lock(folder, "lock", Lock::exclusive));
  first->unlock();
  EXPECT_TRUE(FileLock::try_lock(folder, "lock", Lock::exclusive));
}

TEST(FileLock, AHolderThatIsKilledHoldsNothing) {
  TemporaryFolder scratch;
  Folder folder = Folder::open(scratch.path());
  pid_t child = ::fork();
  if (child == 0) {
    FileLock lock(folder, "lock", Lock::exclusive);
    ::_exit(0);  // no destructor runs
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::try_lock(folder, "lock", Lock::exclusive));
}

TEST(FileLock, TheWaitEndsOnADeadlineAndOnAStop) {
  TemporaryFolder scratch;
  Folder folder = Folder::open(scratch.path());
  FileLock held(folder, Lock::exclusive);
  Error late = error_of([&] {
    FileLock(folder, Lock::shared, Call{.deadline = Deadline::after(std::chrono::milliseconds{20})});
  });
  EXPECT_EQ(late.kind(), Kind::lost);
  EXPECT_EQ(late.facts().code, penstock::code::kDeadline);
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(error_of([&] { FileLock(folder, Lock::shared, Call{.stop = stop.get_token()}); }).kind(),
            Kind::cancelled);
}

TEST(FileLock, OnAFolderLetsOneThreadInAtATimeAndLeavesNoFile) {
  TemporaryFolder scratch;
  Folder folder = Folder::open(scratch.path());
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        FileLock lock(folder, Lock::exclusive);
        int now = ++inside;
        if (now > most) most = now;
        --inside;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_TRUE(scratch.names().empty());
}

}  // namespace
}  // namespace penstock::disk
