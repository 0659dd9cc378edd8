#include "penstock/kv/sqlite_key_value.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/base/error.h"
#include "penstock/kv/sqlite_connection.h"

#include "support/errors.h"
#include "support/kill_sweep.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::kv {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using test::error_of;

class Sqlite : public ::testing::Test {
 protected:
  test::TemporaryFolder folder;
  const std::string path = folder / "kv.db";
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(WallTime{std::chrono::hours{480'000}});
};

TEST_F(Sqlite, the_next_process_finds_what_was_put) {
  SqliteKeyValue{path}.put("k", "v");
  EXPECT_EQ(SqliteKeyValue{path}.get("k"), "v");
}

TEST_F(Sqlite, two_stores_on_one_file_see_each_others_entries) {
  SqliteKeyValue one{path}, two{path};
  one.put("a", "1");
  two.put("b", "2");
  EXPECT_EQ(one.get("b"), "2");
  EXPECT_EQ(two.get("a"), "1");
}

TEST_F(Sqlite, expiry_is_by_the_wall_clock_that_the_next_process_shares) {
  {
    SqliteKeyValue store{{.path = path, .clock = clock}};
    store.put("k", "v", 10s);
  }
  clock->set_wall(clock->wall() + 9s);
  EXPECT_EQ((SqliteKeyValue{{.path = path, .clock = clock}}.get("k")), "v");
  clock->set_wall(clock->wall() + 1s);
  EXPECT_EQ((SqliteKeyValue{{.path = path, .clock = clock}}.get("k")), std::nullopt);
}

TEST_F(Sqlite, later_puts_delete_what_has_expired) {
  SqliteKeyValue store{{.path = path, .clock = clock}};
  for (int i = 0; i < 20; ++i) store.put("old" + std::to_string(i), "v", 1s);
  clock->advance(2s);
  for (int i = 0; i < 10; ++i) store.put("new", "v");
  store.close();
  SqliteConnection raw{path, 1000};
  auto rows = raw.prepare("SELECT COUNT(*) FROM penstock_kv");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.number(0), 1);
}

TEST_F(Sqlite, a_commit_is_flushed_before_it_returns) {
  SqliteConnection connection{path, 1000};
  auto mode = connection.prepare("PRAGMA synchronous");
  ASSERT_TRUE(mode.step());
  EXPECT_EQ(mode.number(0), 2);  // FULL
  auto journal = connection.prepare("PRAGMA journal_mode");
  ASSERT_TRUE(journal.step());
  EXPECT_EQ(journal.blob(0), "wal");
}

TEST_F(Sqlite, a_file_locked_by_another_is_waited_for) {
  SqliteKeyValue store{path};
  store.put("k", "former");
  SqliteConnection other{path, 1000};
  std::optional<SqliteTransaction> held{std::in_place, other};
  std::jthread waits{[&] { store.put("k", "new"); }};
  EXPECT_EQ(store.get("k"), "former");  // readers do not wait for a writer
  held.reset();
  waits.join();
  EXPECT_EQ(store.get("k"), "new");
}

TEST_F(Sqlite, a_file_that_stays_locked_is_busy) {
  SqliteKeyValue store{{.path = path, .busy_timeout = 50ms}};
  store.put("k", "former");
  SqliteConnection other{path, 1000};
  const SqliteTransaction held{other};
  const Error error = error_of([&] { store.put("k", "new"); });
  EXPECT_EQ(error.kind(), Kind::busy) << error.what();
  EXPECT_EQ(error.facts().code, "locked");
  EXPECT_EQ(error.facts().subject, path);
  EXPECT_EQ(error_of([&] { store.remove("k"); }).kind(), Kind::busy);
  EXPECT_EQ(store.get("k"), "former");
}

TEST_F(Sqlite, a_stop_and_a_deadline_are_heard_while_it_waits_for_a_lock) {
  SqliteKeyValue store{path};
  store.put("k", "v");
  SqliteConnection other{path, 1000};
  const SqliteTransaction held{other};
  std::stop_source stop;
  std::jthread stops{[&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  }};
  auto begin = steady_clock::now();
  EXPECT_EQ(error_of([&] { store.put("k", "new", {}, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  EXPECT_LT(steady_clock::now() - begin, 5s);
  begin = steady_clock::now();
  const Error late = error_of([&] { store.put("k", "new", {}, {.deadline = Deadline::after(50ms)}); });
  EXPECT_EQ(late.facts().code, code::kDeadline);
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

TEST_F(Sqlite, a_statement_that_takes_long_hears_a_stop) {
  SqliteConnection connection{path, 1000};
  std::stop_source stop;
  const Call call{.stop = stop.get_token()};
  connection.attend(&call);
  std::jthread stops{[&] { stop.request_stop(); }};
  const Error error = error_of([&] {
    connection.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n");
  });
  EXPECT_EQ(error.kind(), Kind::cancelled) << error.what();
}

TEST_F(Sqlite, what_is_no_database_is_corrupt_and_left_alone) {
  const std::string text = "This is a letter, not a database. " + std::string(5'000, '.');
  test::write_file(path, text);
  SqliteKeyValue store{path};
  const Error error = error_of([&] { store.put("k", "v"); });
  EXPECT_EQ(error.kind(), Kind::corrupt) << error.what();
  EXPECT_EQ(test::read_file(path), text);
}

TEST_F(Sqlite, a_damaged_database_is_corrupt_not_empty) {
  {
    SqliteKeyValue store{path};
    for (int i = 0; i < 500; ++i) store.put("k" + std::to_string(i), std::string(300, 'v'));
  }
  std::string bytes = test::read_file(path);
  for (std::size_t at = 4096; at < bytes.size(); ++at) bytes[at] = '\x55';
  test::write_file(path, bytes);
  SqliteKeyValue store{path};
  EXPECT_EQ(error_of([&] { store.range(""); }).kind(), Kind::corrupt);
}

TEST_F(Sqlite, a_folder_that_is_not_there_is_missing) {
  SqliteKeyValue store{folder / "none/kv.db"};
  const Error error = error_of([&] { store.get("k"); });
  EXPECT_EQ(error.kind(), Kind::missing) << error.what();
  ::mkdir((folder / "none").c_str(), 0700);
  store.put("k", "v");
  EXPECT_EQ(store.get("k"), "v");
}

TEST_F(Sqlite, a_path_that_cannot_be_is_refused) {
  for (const std::string& bad : {std::string{}, std::string{":memory:"}, std::string("a\0b", 3)})
    EXPECT_EQ(error_of([&] { SqliteKeyValue{bad}; }).kind(), Kind::refused);
}

TEST_F(Sqlite, a_relative_path_means_the_folder_it_was_given_in) {
  const std::string former = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  SqliteKeyValue store{"kv.db"};
  std::filesystem::current_path(former);
  store.put("k", "v");
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Sqlite, a_value_longer_than_the_limit_that_another_wrote_is_refused) {
  SqliteKeyValue store{path};
  store.put("k", "v");
  {
    SqliteConnection raw{path, 2 * kMaxValueBytes};
    raw.run("UPDATE penstock_kv SET value = zeroblob(40000000)");
  }
  const Error error = error_of([&] { store.get("k"); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

// Runs `claims` in a child with a tmpfs of 2 MiB over `path`. 77: not allowed to.
int in_small_tmpfs(const std::string& path, const std::function<bool()>& claims) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("penstock", path.c_str(), "tmpfs", 0, "size=2m") != 0)
      ::_exit(77);
    ::_exit(claims() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST_F(Sqlite, a_full_disk_is_busy_and_loses_nothing_acknowledged) {
  const int status = in_small_tmpfs(folder.path(), [&] {
    SqliteKeyValue store{path};
    int stored = 0;
    std::optional<Error> full;
    for (; !full && stored < 100; stored += !full)
      full = test::error_from([&] { store.put("k" + std::to_string(stored), std::string(100'000, 'v')); });
    if (!full || full->kind() != Kind::busy || full->facts().code != "no_space" || stored < 2) {
      if (full) std::fprintf(stderr, "%s %s\n", full->what(), full->facts().code.c_str());
      return false;
    }
    SqliteKeyValue again{path};
    for (int i = 0; i < stored; ++i)
      if (again.get("k" + std::to_string(i)) != std::string(100'000, 'v')) return false;
    return !again.exists("k" + std::to_string(stored));
  });
  if (status == 77) GTEST_SKIP() << "mounting a tmpfs needs root: run the tests by sudo, or `unshare -rm`";
  EXPECT_EQ(status, 0);
}

TEST_F(Sqlite, killed_anywhere_a_put_has_happened_or_not_and_the_file_is_good) {
  const std::string former(5'000, '1'), fresh(9'000, '2');
  SqliteKeyValue{path}.put("k", former);
  const std::string file = test::read_file(path);
  const auto killed = test::kill_at_every_system_call(
      [&] {
        for (const auto& name : folder.names()) std::filesystem::remove(folder / name);
        test::write_file(path, file);
      },
      [&] {
        SqliteKeyValue store{path};
        store.put("k", fresh);
        store.put("after", "a");
      },
      [&](std::size_t k) {
        SqliteKeyValue store{path};
        const auto seen = store.get("k");
        EXPECT_TRUE(seen == former || seen == fresh) << "killed at " << k;
        EXPECT_TRUE(seen == fresh || !store.exists("after")) << "killed at " << k;
      });
  EXPECT_GT(killed, 30U);
}

TEST_F(Sqlite, processes_on_one_file_lose_nothing) {
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        SqliteKeyValue store{{.path = path, .busy_timeout = 60s}};
        for (int i = 0; i < 50; ++i) store.put(std::to_string(c) + "/" + std::to_string(i), "v");
        ::_exit(0);
      } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(SqliteKeyValue{path}.count(), 200U);
}

}  // namespace
}  // namespace penstock::kv
