#include "penstock/files/metrics.h"

#include <numeric>
#include <string>

#include <gtest/gtest.h>

#include "penstock/files/fetch.h"
#include "penstock/store/memory_store.h"

#include "support/scripted_server.h"

namespace penstock::files {
namespace {

using Outcome = std::pair<std::string, std::string>;

TEST(Metrics, CountsEachFileByItsOutcomeAndKind) {
  test::ScriptedServer server;
  server.on("/a", test::respond(200, {}, "hello"));
  server.on("/busy", test::respond(404));
  http::Client web{{.max_attempts = 1}};
  store::MemoryStore memory;
  auto metrics = std::make_shared<Metrics>();
  const FetchOptions options{.metrics = metrics};
  FileTask task{.task_id = "t", .job_id = "j", .url = server.url("/a"), .file_name = "f", .key = "k"};
  process(web, task, memory, options);
  task.skip_existing = true;
  process(web, task, memory, options);
  fetch(web, {.url = server.url("/a"), .key = "other"}, memory, options);
  task.url = server.url("/busy");
  task.skip_existing = false;
  process(web, task, memory, options);
  std::stop_source stop;
  stop.request_stop();
  process(web, task, memory, {.call = {.stop = stop.get_token()}, .metrics = metrics});

  MetricsSnapshot now = metrics->snapshot(web);
  EXPECT_EQ(now.files.at(Outcome{"completed", ""}), 2u);
  EXPECT_EQ(now.files.at(Outcome{"skipped", ""}), 1u);
  EXPECT_EQ(now.files.at(Outcome{"failed", "missing"}), 1u);
  EXPECT_EQ(now.files.at(Outcome{"cancelled", "cancelled"}), 1u);
  EXPECT_EQ(now.in_flight, 0);
  EXPECT_EQ(std::accumulate(now.seconds.begin(), now.seconds.end(), 0u), 5u);
  EXPECT_GE(now.bytes_in, 10u);
}

TEST(Metrics, AFileThatDiesWithoutAnOutcomeIsAFailure) {
  http::Client web;
  Metrics metrics;
  {
    Metrics::Running running{&metrics};
    EXPECT_EQ(metrics.snapshot(web).in_flight, 1);
  }
  EXPECT_EQ(metrics.snapshot(web).in_flight, 0);
  EXPECT_EQ(metrics.snapshot(web).files.at(Outcome{"failed", "unknown"}), 1u);
}

}  // namespace
}  // namespace penstock::files
