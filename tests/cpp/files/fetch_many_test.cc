#include "penstock/files/fetch_many.h"

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/store/memory_store.h"

#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::files {
namespace {

using test::error_of;
using test::respond;
using test::script;

struct Many : ::testing::Test {
  test::ScriptedServer server;
  std::shared_ptr<http::Client> web = std::make_shared<http::Client>(http::ClientOptions{.max_attempts = 1});
  std::shared_ptr<store::MemoryStore> memory = std::make_shared<store::MemoryStore>();
  std::atomic<int> taken = 0;

  FileTask task(int n, const std::string& path = "/a") {
    return {.task_id = std::to_string(n),
            .job_id = "j",
            .url = server.url(path),
            .file_name = "f",
            .key = "k" + std::to_string(n)};
  }
  // n tasks; every tenth asks for what is not there.
  TaskSource tasks(int n) {
    return [this, n]() -> std::optional<FileTask> {
      int now = taken;
      if (now >= n) return std::nullopt;
      ++taken;
      return task(now, now % 10 == 3 ? "/missing" : "/a");
    };
  }
};

TEST_F(Many, OneFailureTouchesNoOtherOfAThousand) {
  server.on("/a", respond(200, {}, "content"));
  FetchMany batch{web, tasks(1000), memory, {.jobs = 8}};
  int succeeded = 0, failed = 0;
  std::set<std::string> seen;
  while (auto result = batch.next()) {
    seen.insert(result->task_id);
    if (result->success) ++succeeded;
    if (result->error_message == "Failed to download file: HTTP 404") ++failed;
  }
  EXPECT_EQ(succeeded, 900);
  EXPECT_EQ(failed, 100);
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_FALSE(batch.next().has_value());
  EXPECT_TRUE(memory->exists("k999"));
  EXPECT_FALSE(memory->exists("k993"));
}

TEST_F(Many, AsCompletedASlowTaskHoldsUpNoOther) {
  test::Gate gate;
  server.on("/a", respond(200, {}, "x"));
  server.on("/slow", script().wait(gate).respond(200, {}, "x"));
  FetchMany batch{web,
                  [&]() -> std::optional<FileTask> {
                    int n = taken++;
                    if (n == 20) return std::nullopt;
                    return task(n, n == 0 ? "/slow" : "/a");
                  },
                  memory,
                  {.jobs = 4}};
  for (int i = 0; i < 19; ++i) EXPECT_NE(batch.next()->task_id, "0");
  gate.open();
  EXPECT_EQ(batch.next()->task_id, "0");
  EXPECT_FALSE(batch.next().has_value());
}

TEST_F(Many, OrderedKeepsTheOrderOfTheTasks) {
  test::Gate gate;
  server.on("/a", respond(200, {}, "x"));
  server.on("/slow", script().wait(gate).respond(200, {}, "x"));
  FetchMany batch{web,
                  [&]() -> std::optional<FileTask> {
                    int n = taken++;
                    if (n == 5) gate.open();
                    if (n == 30) return std::nullopt;
                    return task(n, n == 0 ? "/slow" : "/a");
                  },
                  memory,
                  {.jobs = 4, .ordered = true}};
  for (int i = 0; i < 30; ++i) EXPECT_EQ(batch.next()->task_id, std::to_string(i));
  EXPECT_FALSE(batch.next().has_value());
}

TEST_F(Many, AnEndlessSourceIsTakenAtMostTwiceTheJobsAhead) {
  server.on("/a", respond(200, {}, "x"));
  FetchMany batch{web, [&]() -> std::optional<FileTask> { return task(taken++); }, memory, {.jobs = 3}};
  for (int given = 1; given <= 200; ++given) {
    ASSERT_TRUE(batch.next().has_value());
    ASSERT_LE(taken, given + 2 * 3);
  }
}

TEST_F(Many, OrderedBehindASlowTaskStaysWithinTwiceTheJobs) {
  test::Gate gate;
  server.on("/a", respond(200, {}, "x"));
  server.on("/slow", script().wait(gate).respond(200, {}, "x"));
  FetchMany batch{web,
                  [&]() -> std::optional<FileTask> {
                    int n = taken++;
                    return task(n, n == 0 ? "/slow" : "/a");
                  },
                  memory,
                  {.jobs = 3, .ordered = true}};
  Error late = error_of([&] { batch.next({.deadline = Deadline::after(std::chrono::milliseconds{200})}); });
  EXPECT_EQ(late.facts().code, penstock::code::kDeadline);
  EXPECT_LE(taken, 6);
  gate.open();
  EXPECT_EQ(batch.next()->task_id, "0");
}

TEST_F(Many, ClosingCancelsWhatRunsAndPublishesNothing) {
  test::Gate gate;
  server.on("/a", script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").wait(gate));
  auto began = std::chrono::steady_clock::now();
  {
    FetchMany batch{web, tasks(3), memory, {.jobs = 3}};
    EXPECT_THROW(batch.next({.deadline = Deadline::after(std::chrono::milliseconds{100})}), Error);
    EXPECT_TRUE(gate.reached());
    began = std::chrono::steady_clock::now();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began,
            std::chrono::seconds{5});  // never the stall window of 30 s
  EXPECT_FALSE(memory->list()->next().has_value());
  EXPECT_EQ(memory->used_bytes(), 0u);
}

TEST_F(Many, CancelledTasksAreResultsAndNoMoreAreTaken) {
  server.on("/a", script().stall());
  FetchMany batch{web, tasks(100), memory, {.jobs = 2}};
  EXPECT_THROW(batch.next({.deadline = Deadline::after(std::chrono::milliseconds{100})}), Error);
  int before = taken;
  batch.cancel();
  int results = 0;
  while (auto result = batch.next()) {
    EXPECT_EQ(result->error_kind, Kind::cancelled) << result->error_message;
    ++results;
  }
  EXPECT_EQ(results, before);
  EXPECT_EQ(taken, before);
}

TEST_F(Many, WhatTheTaskSourceThrowsComesAfterTheResultsBeforeIt) {
  server.on("/a", respond(200, {}, "x"));
  FetchMany batch{web,
                  [&]() -> std::optional<FileTask> {
                    if (taken == 5) throw std::runtime_error("no more tasks");
                    return task(taken++);
                  },
                  memory,
                  {.jobs = 3}};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(batch.next().has_value()) << i;
  EXPECT_THROW(batch.next(), std::runtime_error);
  EXPECT_FALSE(batch.next().has_value());
}

TEST_F(Many, AProgressThatCannotBeMadeIsThatTasksFailure) {
  server.on("/a", respond(200, {}, "x"));
  BatchOptions options{.jobs = 2};
  options.progress_of = [](const FileTask& of) -> std::shared_ptr<Progress> {
    if (of.task_id == "1") throw std::runtime_error("no bar");
    return nullptr;
  };
  FetchMany batch{web, tasks(3), memory, options};
  std::map<std::string, bool> success;
  while (auto result = batch.next()) success[result->task_id] = result->success;
  EXPECT_EQ(success, (std::map<std::string, bool>{{"0", true}, {"1", false}, {"2", true}}));
}

TEST_F(Many, ASmallBudgetLetsOneAtATimeThroughAndAllFinish) {
  server.on("/a", respond(200, {}, test::pattern(0, 300'000)));
  FetchMany batch{web,
                  [&]() -> std::optional<FileTask> {
                    if (taken == 12) return std::nullopt;
                    return task(taken++);
                  },
                  memory,
                  {.jobs = 6, .budget_bytes = 1}};
  int succeeded = 0;
  while (auto result = batch.next()) succeeded += result->success;
  EXPECT_EQ(succeeded, 12);
}

TEST_F(Many, NoMoreConnectionsToAnOriginThanAsked) {
  server.on("/a", respond(200, {}, "x"));
  FetchMany batch{web, tasks(60), memory, {.jobs = 12, .connections_per_origin = 3}};
  int most = 0;
  while (batch.next()) most = std::max(most, server.open_connections());
  EXPECT_LE(most, 3);
  EXPECT_EQ(taken, 60);
}

TEST_F(Many, PushedResultsEndWhenTheTakerThrows) {
  server.on("/a", respond(200, {}, "x"));
  int got = 0;
  EXPECT_THROW(fetch_many(web, tasks(1000), memory, {.jobs = 2},
                          [&](FileResult) {
                            if (++got == 3) throw std::runtime_error("enough");
                          }),
               std::runtime_error);
  EXPECT_EQ(got, 3);
  EXPECT_LT(taken, 20);
}

// In a child of its own, which may start no more threads once its client runs.
TEST_F(Many, TasksThatGetNoThreadAreFailedResults) {
  const pid_t child = fork();
  if (child == 0) {
    web->statistics();
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_NPROC, &none) != 0) _exit(2);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(3);
    FetchMany batch{web, tasks(3), memory, {.jobs = 2}};
    int failed = 0;
    while (const auto result = batch.next()) failed += result->success ? 0 : 1;
    _exit(failed == 3 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Many, JobsOutOfRangeAreRefused) {
  for (int jobs : {0, -1, 257}) {
    EXPECT_EQ(error_of([&] { FetchMany(web, tasks(1), memory, {.jobs = jobs}); }).kind(), Kind::refused);
  }
}

}  // namespace
}  // namespace penstock::files
