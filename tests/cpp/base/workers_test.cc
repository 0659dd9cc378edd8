#include "penstock/base/workers.h"

#include <atomic>
#include <latch>
#include <mutex>
#include <semaphore>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr Workers::Options kPatient{.max_threads = 256, .idle = hours{1}};

std::thread::id run_and_wait(Workers& workers) {
  std::thread::id id;
  std::latch done{1};
  workers.run([&] {
    id = std::this_thread::get_id();
    done.count_down();
  });
  done.wait();
  return id;
}

TEST(Workers, a_job_runs_on_another_thread) {
  Workers workers{kPatient};
  EXPECT_NE(run_and_wait(workers), std::this_thread::get_id());
}

TEST(Workers, a_thread_is_kept_for_the_next_job) {
  Workers workers{kPatient};
  std::set<std::thread::id> used;
  for (int i = 0; i < 20; ++i) used.insert(run_and_wait(workers));
  // A job may come before the thread of the last one has gone back to waiting; then a second one is started.
  EXPECT_LE(used.size(), 2U);
  EXPECT_LE(workers.threads(), 2U);
}

TEST(Workers, jobs_that_wait_for_each_other_each_get_a_thread) {
  Workers workers{kPatient};
  std::latch all_here{8};
  std::latch done{8};
  for (int i = 0; i < 8; ++i) {
    workers.run([&] {
      all_here.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
  EXPECT_EQ(workers.threads(), 8U);
}

TEST(Workers, an_idle_thread_leaves_and_the_next_job_still_runs) {
  Workers workers{{.max_threads = 4, .idle = milliseconds{1}}};
  run_and_wait(workers);
  while (workers.threads() > 0) std::this_thread::yield();
  EXPECT_NE(run_and_wait(workers), std::thread::id{});
}

TEST(Workers, past_the_cap_jobs_wait_in_the_order_they_came) {
  std::vector<int> order;
  {
    Workers workers{{.max_threads = 1, .idle = hours{1}}};
    std::binary_semaphore go{0};
    workers.run([&go] { go.acquire(); });
    for (int i = 0; i < 50; ++i) workers.run([&order, i] { order.push_back(i); });
    EXPECT_EQ(workers.threads(), 1U);
    go.release();
  }
  ASSERT_EQ(order.size(), 50U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Workers, dying_runs_every_job_it_was_given_first) {
  std::atomic<int> ran = 0;
  {
    Workers workers{{.max_threads = 3, .idle = hours{1}}};
    for (int i = 0; i < 500; ++i) workers.run([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 500);
}

TEST(Workers, a_job_may_add_a_job_even_while_the_workers_die) {
  std::atomic<int> ran = 0;
  std::function<void()> again;
  {
    Workers workers{{.max_threads = 2, .idle = hours{1}}};
    again = [&] {
      if (++ran < 100) workers.run(again);
    };
    workers.run(again);
  }
  EXPECT_EQ(ran, 100);
}

TEST(Workers, a_job_lets_go_of_what_it_captured_before_the_next_one_runs) {
  Workers workers{{.max_threads = 1, .idle = hours{1}}};
  auto captured = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = captured;
  workers.run([captured = std::move(captured)] {});
  bool expired = false;
  std::latch done{1};
  workers.run([&] {
    expired = watch.expired();
    done.count_down();
  });
  done.wait();
  EXPECT_TRUE(expired);
}

TEST(Workers, many_threads_may_submit_at_once) {
  std::atomic<int> ran = 0;
  {
    Workers workers{{.max_threads = 4, .idle = milliseconds{1}}};
    std::vector<std::jthread> submitters;
    for (int i = 0; i < 4; ++i) {
      submitters.emplace_back([&] {
        for (int j = 0; j < 200; ++j) workers.run([&ran] { ++ran; });
      });
    }
  }
  EXPECT_EQ(ran, 800);
}

}  // namespace
}  // namespace penstock
