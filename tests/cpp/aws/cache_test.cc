#include "penstock/aws/cache.h"

#include <atomic>
#include <deque>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/base/workers.h"

#include "support/errors.h"

namespace penstock::aws {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::error_of;

const WallTime kStart{seconds{1'800'000'000}};

// A cache whose loads run when the test says so, on a clock that the test moves.
struct Bench {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kStart);
  std::deque<std::function<void()>> jobs;
  int loads = 0, fetched = 0;
  std::function<Credentials()> source = [this] { return keys(++loads, hours{1}); };
  std::shared_ptr<CredentialCache> cache = make_cache({.load = [this](const Call&) { return source(); },
                                                       .run = [this](auto job) { jobs.push_back(job); },
                                                       .clock = clock,
                                                       .fetched = [this] { ++fetched; }});

  Credentials keys(int number, std::chrono::nanoseconds life) const {
    return {.access_key_id = "AKID" + std::to_string(number),
            .secret_access_key = "secret",
            .expires = clock->wall() + std::chrono::duration_cast<WallTime::duration>(life),
            .source = "test"};
  }
  void fail_loads() {
    source = [this]() -> Credentials {
      ++loads;
      throw Error{Kind::lost, "no answer"};
    };
  }
  void run_jobs() {
    for (; !jobs.empty(); jobs.pop_front()) jobs.front()();
  }
  // What one get() gives: at once, after the load it waits for, or never.
  std::optional<Loaded> asked() {
    auto answer = std::make_shared<std::optional<Loaded>>();
    cache->get([answer](Loaded loaded) { *answer = std::move(loaded); });
    return *answer;
  }
  std::string asked_id() { return id_of(asked()); }
  static std::string id_of(const std::optional<Loaded>& answer) {
    if (!answer) return "waiting";
    if (const auto* error = std::get_if<Error>(&*answer))
      return "error " + std::string{to_string(error->kind())};
    return std::get<Credentials>(*answer).access_key_id;
  }
  void warm_up() {
    asked();
    run_jobs();
  }
};

TEST(CredentialCache, a_cold_caller_waits_for_the_load) {
  Bench bench;
  std::optional<Loaded> answer;
  bench.cache->get([&](Loaded loaded) { answer = std::move(loaded); });
  EXPECT_FALSE(answer);
  bench.run_jobs();
  EXPECT_EQ(Bench::id_of(answer), "AKID1");
}

TEST(CredentialCache, many_cold_callers_make_one_load) {
  Bench bench;
  int answers = 0;
  for (int i = 0; i < 1000; ++i) bench.cache->get([&](Loaded) { ++answers; });
  EXPECT_EQ(bench.jobs.size(), 1u);
  bench.run_jobs();
  EXPECT_EQ(answers, 1000);
  EXPECT_EQ(bench.fetched, 1);
}

TEST(CredentialCache, fresh_keys_are_given_at_once) {
  Bench bench;
  bench.warm_up();
  bench.clock->advance(minutes{44});
  EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_TRUE(bench.jobs.empty());
}

TEST(CredentialCache, keys_without_expiry_are_loaded_once) {
  Bench bench;
  bench.source = [&] { return Credentials{.access_key_id = "A" + std::to_string(++bench.loads)}; };
  bench.warm_up();
  bench.clock->advance(hours{24 * 365});
  EXPECT_EQ(bench.asked_id(), "A1");
  EXPECT_TRUE(bench.jobs.empty());
}

TEST(CredentialCache, from_a_quarter_of_the_life_one_background_refresh_and_callers_use_the_old_keys) {
  Bench bench;
  bench.warm_up();
  bench.clock->advance(minutes{45} + seconds{1});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_EQ(bench.jobs.size(), 1u);
  bench.run_jobs();
  EXPECT_EQ(bench.asked_id(), "AKID2");
}

TEST(CredentialCache, long_lived_keys_are_refreshed_15_minutes_ahead) {
  Bench bench;
  bench.source = [&] { return bench.keys(++bench.loads, hours{12}); };
  bench.warm_up();
  bench.clock->advance(hours{12} - minutes{15} - seconds{1});
  EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_TRUE(bench.jobs.empty());
  bench.clock->advance(seconds{2});
  EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_EQ(bench.jobs.size(), 1u);
}

TEST(CredentialCache, under_60_seconds_callers_wait) {
  Bench bench;
  bench.warm_up();
  bench.clock->advance(minutes{59} + seconds{1});
  std::string id;
  bench.cache->get([&](Loaded loaded) { id = Bench::id_of(loaded); });
  EXPECT_EQ(id, "");
  bench.run_jobs();
  EXPECT_EQ(id, "AKID2");
}

TEST(CredentialCache, a_failed_refresh_keeps_valid_keys_and_waits_1_2_4_up_to_60_seconds) {
  Bench bench;
  bench.warm_up();
  bench.clock->advance(minutes{46});
  bench.fail_loads();
  int spent = 0;
  for (int wait : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    EXPECT_EQ(bench.asked_id(), "AKID1");
    ASSERT_EQ(bench.jobs.size(), 1u) << "before the wait of " << wait;
    bench.run_jobs();
    bench.clock->advance(std::chrono::milliseconds{wait * 1000 - 1});
    EXPECT_EQ(bench.asked_id(), "AKID1");
    EXPECT_TRUE(bench.jobs.empty()) << "within the wait of " << wait;
    bench.clock->advance(std::chrono::milliseconds{1});
    spent += wait;
  }
  EXPECT_LT(spent, 13 * 60);
}

TEST(CredentialCache, callers_under_60_seconds_get_the_valid_keys_when_the_refresh_fails) {
  Bench bench;
  bench.warm_up();
  bench.clock->advance(minutes{59} + seconds{30});
  bench.fail_loads();
  std::string id;
  bench.cache->get([&](Loaded loaded) { id = Bench::id_of(loaded); });
  bench.run_jobs();
  EXPECT_EQ(id, "AKID1");
  EXPECT_EQ(bench.asked_id(), "AKID1");  // and does not wait again within the backoff
}

TEST(CredentialCache, denied_only_after_expiry_and_then_naming_the_cause) {
  Bench bench;
  bench.warm_up();
  bench.fail_loads();
  bench.clock->advance(hours{1});
  std::optional<Loaded> answer;
  bench.cache->get([&](Loaded loaded) { answer = std::move(loaded); });
  bench.run_jobs();
  const auto& error = std::get<Error>(*answer);
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_NE(error.message().find("no answer"), std::string::npos) << error.message();
  ASSERT_TRUE(error.facts().cause);
  EXPECT_EQ(error.facts().cause->kind(), Kind::lost);
}

TEST(CredentialCache, recovers_after_expiry) {
  Bench bench;
  bench.warm_up();
  const auto working = bench.source;
  bench.fail_loads();
  bench.clock->advance(hours{1});
  bench.asked();
  bench.run_jobs();
  EXPECT_EQ(bench.asked_id(), "error denied");
  bench.source = working;
  bench.clock->advance(seconds{1});
  bench.warm_up();
  EXPECT_EQ(bench.asked_id(), "AKID3");
}

TEST(CredentialCache, a_cold_failure_is_told_to_all_who_wait_and_tried_again_by_the_next) {
  Bench bench;
  const auto working = bench.source;
  bench.fail_loads();
  int lost = 0;
  for (int i = 0; i < 3; ++i)
    bench.cache->get([&](Loaded loaded) { lost += Bench::id_of(loaded) == "error lost"; });
  bench.run_jobs();
  EXPECT_EQ(lost, 3);
  bench.source = working;
  bench.warm_up();
  EXPECT_EQ(bench.asked_id(), "AKID2");
}

TEST(CredentialCache, keys_that_come_expired_are_denied) {
  Bench bench;
  bench.source = [&] { return bench.keys(1, seconds{-1}); };
  std::string id;
  bench.cache->get([&](Loaded loaded) { id = Bench::id_of(loaded); });
  bench.run_jobs();
  EXPECT_EQ(id, "error denied");
}

TEST(CredentialCache, keys_that_outlive_their_expiry_stay_in_use_and_are_tried_again_in_5_to_10_minutes) {
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    bench.source = [&bench] {
      auto keys = bench.keys(++bench.loads, hours{1});
      keys.outlive_expiry = true;
      return keys;
    };
    bench.warm_up();
    bench.fail_loads();
    bench.clock->advance(hours{1});
    std::string id;
    bench.cache->get([&](Loaded loaded) { id = Bench::id_of(loaded); });
    bench.run_jobs();
    EXPECT_EQ(id, "AKID1");
    bench.clock->advance(minutes{5} - seconds{1});
    EXPECT_EQ(bench.asked_id(), "AKID1");
    EXPECT_TRUE(bench.jobs.empty());
    bench.clock->advance(minutes{5} + seconds{1});
    bench.asked();
    EXPECT_EQ(bench.jobs.size(), 1u);
  }
}

TEST(CredentialCache, keys_that_outlive_their_expiry_may_come_ended) {
  Bench bench;
  bench.source = [&bench] {
    auto keys = bench.keys(++bench.loads, -hours{1});
    keys.outlive_expiry = true;
    return keys;
  };
  bench.warm_up();
  EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_TRUE(bench.jobs.empty()) << "they are not asked for again and again";
}

TEST(CredentialCache, a_source_that_hands_out_the_same_keys_is_not_asked_in_a_tight_loop) {
  Bench bench;
  const auto same = bench.keys(1, hours{1});
  bench.source = [&bench, same] { return ++bench.loads, same; };
  bench.warm_up();
  bench.clock->advance(minutes{59} + seconds{30});
  bench.warm_up();
  EXPECT_EQ(bench.loads, 2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bench.asked_id(), "AKID1");
  EXPECT_TRUE(bench.jobs.empty());
}

TEST(CredentialCache, a_forced_refresh_makes_callers_wait_for_other_keys) {
  Bench bench;
  bench.warm_up();
  const auto rejected = std::get<Credentials>(*bench.asked());
  bench.cache->force_refresh(rejected);
  std::string id;
  bench.cache->get([&](Loaded loaded) { id = Bench::id_of(loaded); });
  EXPECT_EQ(id, "");
  bench.run_jobs();
  EXPECT_EQ(id, "AKID2");
}

TEST(CredentialCache, a_snapshot_is_refreshed_by_force_once_however_many_it_was_rejected_for) {
  Bench bench;
  bench.warm_up();
  const auto rejected = std::get<Credentials>(*bench.asked());
  for (int i = 0; i < 100; ++i) bench.cache->force_refresh(rejected);
  EXPECT_EQ(bench.jobs.size(), 1u);
  bench.run_jobs();
  bench.cache->force_refresh(rejected);  // a late answer to a request signed with the old keys
  EXPECT_TRUE(bench.jobs.empty());
  EXPECT_EQ(bench.asked_id(), "AKID2");
}

TEST(CredentialCache, keys_that_stay_the_same_are_forced_once) {
  Bench bench;
  const auto same = bench.keys(1, hours{1});
  bench.source = [&bench, same] { return ++bench.loads, same; };
  bench.warm_up();
  bench.cache->force_refresh(same);
  bench.run_jobs();
  bench.cache->force_refresh(same);
  EXPECT_TRUE(bench.jobs.empty());
  EXPECT_EQ(bench.asked_id(), "AKID1");
}

TEST(CredentialCache, a_forced_refresh_that_fails_leaves_the_keys_it_had) {
  Bench bench;
  bench.warm_up();
  bench.fail_loads();
  bench.cache->force_refresh(std::get<Credentials>(*bench.asked()));
  bench.run_jobs();
  EXPECT_EQ(bench.asked_id(), "AKID1");
}

TEST(CredentialCache, a_thread_that_cannot_be_had_is_an_error_and_not_a_hang) {
  const auto cache = make_cache({.load = [](const Call&) { return Credentials{}; },
                                 .run = [](auto) { throw Error{Kind::busy, "no thread"}; }});
  EXPECT_EQ(error_of([&] { cache->wait({}); }).kind(), Kind::busy);
}

TEST(CredentialCache, a_source_that_throws_something_else_is_denied_and_redacted) {
  const auto cache = make_cache(
      {.load = [](const Call&) -> Credentials { throw std::runtime_error("Authorization: canary"); },
       .run = [](auto job) { job(); }});
  const auto error = error_of([&] { cache->wait({}); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
}

TEST(CredentialCache, waiting_ends_with_the_callers_deadline_and_stop_while_the_load_goes_on) {
  Bench bench;
  const auto late =
      error_of([&] { bench.cache->wait({.deadline = Deadline::after(std::chrono::milliseconds{20})}); });
  EXPECT_EQ(late.facts().code, code::kDeadline);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error_of([&] { bench.cache->wait({.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  EXPECT_EQ(bench.jobs.size(), 1u);
  bench.run_jobs();
  EXPECT_EQ(bench.cache->wait({}).access_key_id, "AKID1");
}

TEST(CredentialCache, the_death_of_the_cache_stops_its_load) {
  Call seen;
  std::function<void()> job;
  auto cache = make_cache({.load = [&](const Call& call) { return seen = call, Credentials{}; },
                           .run = [&](auto given) { job = given; }});
  cache->get([](Loaded) {});
  cache.reset();
  job();
  EXPECT_TRUE(seen.stop.stop_requested());
}

TEST(CredentialCache, a_thousand_cold_threads_make_one_load) {
  Workers workers;
  std::atomic<int> loads = 0, answers = 0;
  const auto cache = make_cache({.load =
                                     [&](const Call&) {
                                       ++loads;
                                       return Credentials{.access_key_id = "A"};
                                     },
                                 .run = [&](auto job) { workers.run(std::move(job)); }});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 100; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        answers += cache->wait({}).access_key_id == "A";
        cache->get([&](Loaded loaded) { answers += std::holds_alternative<Credentials>(loaded); });
      }
    });
  threads.clear();
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(answers, 1000);
}

TEST(FixedCache, gives_its_keys_at_once_and_for_ever) {
  const auto cache = fixed_cache({.access_key_id = "A"});
  cache->force_refresh({.access_key_id = "A"});
  EXPECT_EQ(cache->wait({}).access_key_id, "A");
}

}  // namespace
}  // namespace penstock::aws
