#include "penstock/base/wait.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/base/error.h"

namespace penstock::base {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

struct Gate {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool open = false;

  void set_open() {
    {
      const std::lock_guard lock{mutex};
      open = true;
    }
    changed.notify_all();
  }
  void wait_open(const Call& call) {
    std::unique_lock lock{mutex};
    wait(changed, lock, call, "wait for the gate", [this] { return open; });
  }
};

template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error{Kind::refused, "nothing was thrown"};
}

TEST(Wait, returns_at_once_when_ready) {
  Gate gate;
  gate.open = true;
  EXPECT_NO_THROW(gate.wait_open({}));
}

TEST(Wait, ends_when_another_thread_makes_it_ready) {
  Gate gate;
  std::jthread opener{[&gate] { gate.set_open(); }};
  gate.wait_open({});
  const std::lock_guard lock{gate.mutex};
  EXPECT_TRUE(gate.open);
}

TEST(Wait, a_stop_is_cancelled_and_names_the_wait) {
  Gate gate;
  std::stop_source stop;
  std::jthread stopper{[&stop] { stop.request_stop(); }};
  const Error error = error_of([&] { gate.wait_open({.stop = stop.get_token()}); });
  EXPECT_EQ(error.kind(), Kind::cancelled);
  EXPECT_EQ(error.facts().doing, "wait for the gate");
}

TEST(Wait, a_passed_deadline_is_lost_with_its_code) {
  Gate gate;
  const Error error = error_of([&] { gate.wait_open({.deadline = Deadline::after(milliseconds{5})}); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().code, code::kDeadline);
}

TEST(Wait, what_is_ready_is_had_even_after_a_stop_and_a_deadline) {
  Gate gate;
  gate.open = true;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_NO_THROW(gate.wait_open({.stop = stop.get_token(), .deadline = Deadline{SteadyTime::min()}}));
}

TEST(Wait, the_hook_runs_again_and_again_with_the_lock_let_go) {
  Gate gate;
  int runs = 0;
  const auto start = std::chrono::steady_clock::now();
  const WaitHook hook{[&] {
    const std::lock_guard lock{gate.mutex};  // would deadlock if wait() held it
    if (++runs == 3) gate.open = true;
  }};
  gate.wait_open({});
  EXPECT_EQ(runs, 3);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 3 * WaitHook::kEvery);
}

TEST(Wait, what_the_hook_throws_ends_the_wait_with_the_lock_held) {
  Gate gate;
  const WaitHook hook{[] { throw std::domain_error{"interrupted"}; }};
  std::unique_lock lock{gate.mutex};
  EXPECT_THROW(wait(gate.changed, lock, {}, "wait", [] { return false; }), std::domain_error);
  EXPECT_TRUE(lock.owns_lock());
}

TEST(Wait, hooks_nest_and_belong_to_their_thread) {
  int outer = 0;
  std::atomic<int> inner = 0;
  const WaitHook first{[&outer] { ++outer; }};
  {
    const WaitHook second{[&inner] { ++inner; }};
    WaitHook::run();
    std::jthread{[] {
      EXPECT_EQ(WaitHook::due(), SteadyTime::max());
      WaitHook::run();
    }};
  }
  EXPECT_EQ(outer, 0);
  EXPECT_EQ(inner, 1);
  WaitHook::run();
  EXPECT_EQ(outer, 1);
}

TEST(Wait, check_throws_what_wait_would) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_NO_THROW(check({}, "go on"));
  EXPECT_EQ(error_of([&] { check({.stop = stop.get_token()}, "go on"); }).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { check({.deadline = Deadline{SteadyTime::min()}}, "go on"); }).facts().code,
            code::kDeadline);
}

TEST(Wait, check_runs_a_hook_that_is_due_so_that_busy_work_is_interruptible) {
  int runs = 0;
  const WaitHook hook{[&runs] { ++runs; }};
  const auto give_up = std::chrono::steady_clock::now() + hours{1};
  while (runs < 2 && std::chrono::steady_clock::now() < give_up) check({}, "work");
  EXPECT_EQ(runs, 2);
}

TEST(Wait, sleep_lasts_its_span_unless_stopped) {
  const auto start = std::chrono::steady_clock::now();
  sleep(milliseconds{20}, {}, "back off");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds{20});

  std::stop_source stop;
  std::jthread stopper{[&stop] { stop.request_stop(); }};
  EXPECT_EQ(error_of([&] { sleep(hours{1}, {.stop = stop.get_token()}, "back off"); }).kind(),
            Kind::cancelled);
}

TEST(Wait, wait_for_says_whether_it_became_ready) {
  Gate gate;
  std::unique_lock lock{gate.mutex};
  EXPECT_FALSE(wait_for(gate.changed, lock, milliseconds{1}, [&gate] { return gate.open; }));
  gate.open = true;
  EXPECT_TRUE(wait_for(gate.changed, lock, hours{1}, [&gate] { return gate.open; }));
}

}  // namespace
}  // namespace penstock::base
