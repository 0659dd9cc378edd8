#include "penstock/bundles/recovery.h"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <span>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/bundles/owner.h"
#include "penstock/kv/memory_key_value.h"

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;
using Names = std::vector<std::string>;

const std::string kNow = "2024-10-04T00:00:00.000000Z";  // as the worlds' clocks have it

std::string committed_record(const std::string& bid) {
  return to_text(
      {.ref = reference(bid), .written = kNow, .marker = Marker{"", "marker", "mine"}, .owner = "o"});
}

// Objects under the keys of pending records and notes, and a store that is not allowed some.
class Forbidding : public store::MemoryStore {
 public:
  std::unique_ptr<store::ObjectSource> get(std::string_view key, const store::ReadOptions& options,
                                           const Call& call) override {
    if (!forbidden.empty() && key.ends_with(forbidden)) throw Error{Kind::denied, "not this one"};
    return MemoryStore::get(key, options, call);
  }
  std::uint64_t abort_uploads(std::string_view prefix, const Call&) override {
    if (prefix.find(forbidden_uploads) != prefix.npos && !forbidden_uploads.empty())
      throw Error{Kind::denied, "ListMultipartUploads"};
    aborted.emplace_back(prefix);
    return 1;
  }
  std::uint64_t abort_uploads_of(std::string_view key, const Call&) override {
    aborted.emplace_back("= " + std::string{key});
    return 1;
  }
  std::string forbidden{}, forbidden_uploads{};
  Names aborted{};
};

class RecoveryTest : public ::testing::Test {
 protected:
  RecoveryTest() {
    world.store = store;
    store->put("marker", as_bytes("{}"), {.metadata = {{"penstock-bundle", "mine"}}});
  }
  void put(const std::string& key, const std::string& text) { store->put("out/" + key, as_bytes(text)); }
  void put_record(const std::string& bid, const std::string& text) {
    put("_pending/default/" + bid + ".json", text);
  }
  void put_note(const std::string& bid, const std::string& root, const std::string& content) {
    Json json;
    json["owner"] = dead_owner();
    json["timestamp"] = kNow;
    json["bid"] = bid;
    json["root"] = root;
    json["content"] = content;
    put("_uploads/default/" + bid + ".json", compact(json));
  }

  std::shared_ptr<Forbidding> store = std::make_shared<Forbidding>();
  ObjectWorld world;
};

TEST_F(RecoveryTest, a_record_that_is_too_long_or_forbidden_stops_no_other) {
  put_record("custom-1", std::string(kMaxRecordBytes + 1, ' '));
  put_record("custom-2", committed_record("custom-2"));
  put_record("custom-3", committed_record("custom-3"));
  store->forbidden = "custom-2.json";
  const RecoveryReport report = world.storage()->recover(world.recipe);
  EXPECT_EQ(report.malformed, 1u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(world.told->ids, Names{"custom-3"});
  EXPECT_EQ(world.pending().size(), 2u);
}

TEST_F(RecoveryTest, uploads_that_may_not_be_aborted_stop_neither_others_nor_the_records) {
  put_note("custom-1", "root-1/", "root-1/resources");
  put_note("custom-2", "root-2/", "root-2/resources");
  put_record("custom-3", committed_record("custom-3"));
  store->forbidden_uploads = "root-1";
  const RecoveryReport report = world.storage()->recover(world.recipe);
  EXPECT_EQ(report.swept, 1u);
  EXPECT_EQ(store->aborted, Names{"root-2/"});
  EXPECT_EQ(report.recovered, 1u);
}

TEST_F(RecoveryTest, uploads_of_a_longer_bid_are_anothers) {
  put_note("custom-1", "out/bundles/custom-1/", "out/custom-1");  // layout fetcher
  world.storage()->recover(world.recipe);
  EXPECT_EQ(store->aborted, (Names{"out/bundles/custom-1/", "= out/custom-1", "out/custom-1/"}));
}

TEST_F(RecoveryTest, metadata_that_could_not_be_read_back_is_refused_before_the_commit) {
  Json deep = Json::object();
  for (int i = 0; i < 40; ++i) deep = Json{{"in", deep}};
  const std::string much(kMaxRecordBytes, 'm');
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto bundle = storage->start(ref, world.recipe);
  for (const Json& metadata : {deep, Json{{"much", much}}})
    EXPECT_EQ(error_of([&] { bundle->finish(metadata); }).kind(), Kind::refused);
  EXPECT_EQ(world.visible(kBid), std::nullopt);
  bundle->finish({{"shallow", 1}});
}

TEST_F(RecoveryTest, metadata_as_deep_as_documents_may_be_is_read_back) {
  Json deep = Json::object();
  for (int i = 1; i < 32; ++i) deep = Json{{"in", deep}};
  world.services.publish_errors = PublishErrors::defer;
  world.told->failures = 1;
  const auto storage = world.storage();
  BundleRef ref = reference();
  storage->start(ref, world.recipe)->finish(deep);
  EXPECT_EQ(world.storage()->recover(world.recipe).recovered, 1u);
}

TEST_F(RecoveryTest, records_of_a_recipe_whose_id_begins_alike_are_not_its_own) {
  const auto values = std::make_shared<kv::MemoryKeyValue>();
  KvPendingLog log{values};
  log.put("fr", "custom-1", committed_record("custom-1"), {});
  log.put("fr", "custom-a:b", committed_record("custom-a:b"), {});
  log.put("fr:monthly", "custom-2", committed_record("custom-2"), {});
  world.services.pending = std::make_shared<KvPendingLog>(values);
  EXPECT_EQ(world.storage()->recover({.id = "fr"}).recovered, 2u);
  std::sort(world.told->ids.begin(), world.told->ids.end());
  EXPECT_EQ(world.told->ids, (Names{"custom-1", "custom-a:b"}));
  EXPECT_EQ(world.storage()->recover({.id = "fr:monthly"}).recovered, 1u);
  EXPECT_EQ(values->count(), 0u);
}

TEST_F(RecoveryTest, glob_characters_of_a_recipe_mean_themselves) {
  const auto values = std::make_shared<kv::MemoryKeyValue>();
  KvPendingLog log{values};
  log.put("f*", "custom-1", committed_record("custom-1"), {});
  log.put("fr", "custom-2", committed_record("custom-2"), {});
  world.services.pending = std::make_shared<KvPendingLog>(values);
  EXPECT_EQ(world.storage()->recover({.id = "f*"}).recovered, 1u);
  EXPECT_EQ(values->count(), 1u);
}

// A log that has no end, and says how much of it was asked for.
class Endless : public PendingLog {
 public:
  explicit Endless(std::size_t bytes) : record_(bytes, ' ') {}
  void put(std::string_view, std::string_view, const std::string&, const Call&) override {}
  std::map<std::string, Error> remove_many(std::string_view, std::span<const std::string>,
                                           const Call&) override {
    return {};
  }
  void each(std::string_view, const VisitRecord& visit, const Call& call) override {
    deadline = call.deadline;
    for (visited = 1; visit({.text = record_}); ++visited) continue;
  }
  Deadline deadline{};
  std::size_t visited = 0;

 private:
  std::string record_;
};

TEST_F(RecoveryTest, no_more_records_are_held_than_fit_into_memory) {
  const auto log = std::make_shared<Endless>(1 << 20);
  Services services;
  services.pending = log;
  EXPECT_EQ(pending_records(services, "default", {}).size(), 64u);
  EXPECT_EQ(log->visited, 64u);
}

TEST_F(RecoveryTest, ends_at_its_deadline_however_long_the_log_is) {
  const auto log = std::make_shared<Endless>(10);
  Services services;
  services.pending = log;
  RecoveryReport report;
  const Call call{.deadline = Deadline::after(std::chrono::seconds{1})};
  const auto judge = [&](std::span<const std::string> records) {
    return judge_all(records, [](const Marker&) { return Found::nothing; }, world.clock->wall(), call);
  };
  recover_pending(services, {}, judge, report, call);
  EXPECT_TRUE(report.out_of_time);
  EXPECT_EQ(log->deadline.at(), call.deadline.at());
  EXPECT_GT(report.malformed, 0u);
}

TEST_F(RecoveryTest, records_are_judged_side_by_side) {
  const std::vector<std::string> records(32, committed_record("custom-1"));
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t looking = 0;
  const auto look = [&](const Marker&) {
    std::unique_lock lock{mutex};
    ++looking;
    changed.notify_all();
    const bool all = changed.wait_for(lock, std::chrono::seconds{60}, [&] { return looking == 32; });
    return all ? Found::ours : Found::nothing;
  };
  const auto judged = judge_all(records, look, world.clock->wall(), {});
  EXPECT_EQ(judged.size(), 32u);
  for (const Judged& one : judged) EXPECT_EQ(one.verdict, Verdict::tell);
}

TEST_F(RecoveryTest, one_that_cannot_be_judged_is_no_obstacle_to_the_others) {
  const std::vector<std::string> records{committed_record("custom-1"), "none", committed_record("custom-3")};
  std::atomic<int> looks = 0;
  const auto look = [&](const Marker&) { return ++looks, Found::ours; };
  const auto judged = judge_all(records, look, world.clock->wall(), {});
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(judged[0].record->ref.bid, "custom-1");
  EXPECT_EQ(judged[1].error->kind(), Kind::corrupt);
  EXPECT_EQ(judged[2].record->ref.bid, "custom-3");
}

// All are told before any record is removed.
class ToldTogether : public Told {
 public:
  explicit ToldTogether(int wanted) : wanted_(wanted) {}
  void publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) override {
    Told::publish(sealed, recipe_id, call);
    std::unique_lock lock{mutex_};
    ++told_;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return told_ == wanted_; });
  }

 private:
  const int wanted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int told_ = 0;
};

TEST_F(RecoveryTest, records_are_removed_as_many_at_a_time_as_are_over) {
  class Slow : public store::MemoryStore {
   public:
    // From being told to being over takes a lock and shows nowhere, so the first removal takes a while.
    void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override {
      if (key.find("/_pending/") != key.npos) std::this_thread::sleep_for(std::chrono::milliseconds{200});
      MemoryStore::remove(key, options, call);
    }
    store::RemoveReport remove_many(std::span<const std::string> keys, const Call& call) override {
      if (!keys.empty() && keys.front().find("/_pending/") != std::string::npos) ++removals_of_many;
      return MemoryStore::remove_many(keys, call);
    }
    std::atomic<int> removals_of_many = 0;
  };
  const auto slow = std::make_shared<Slow>();
  slow->put("marker", as_bytes("{}"), {.metadata = {{"penstock-bundle", "mine"}}});
  for (int i = 0; i < 20; ++i) {
    const std::string bid = "custom-" + std::to_string(i);
    slow->put("out/_pending/default/" + bid + ".json", as_bytes(committed_record(bid)));
  }
  world.store = slow;
  world.told = std::make_shared<ToldTogether>(20);
  EXPECT_EQ(world.storage()->recover({.id = "default"}).recovered, 20u);
  EXPECT_GE(slow->removals_of_many, 1);
  EXPECT_LT(slow->removals_of_many, 10);
  EXPECT_EQ(world.pending(), Names{});
}

TEST_F(RecoveryTest, more_records_than_are_judged_together_are_told_in_their_order) {
  for (int i = 1000; i < 1600; ++i) {
    const std::string bid = "custom-" + std::to_string(i);
    put_record(bid, i % 3 == 0 ? "none" : committed_record(bid));
  }
  Names called;
  const Recipe recipe{.id = "default",
                      .on_complete = {[&](const BundleRef& ref) { called.push_back(ref.bid); }}};
  const RecoveryReport report = world.storage()->recover(recipe);
  EXPECT_EQ(report.recovered, 400u);
  EXPECT_EQ(report.malformed, 200u);
  EXPECT_EQ(called.size(), 400u);
  EXPECT_TRUE(std::is_sorted(called.begin(), called.end()));
  EXPECT_EQ(world.pending().size(), 200u);
}

TEST_F(RecoveryTest, a_store_of_somebody_elses_may_throw_what_it_likes) {
  class Foreign : public store::MemoryStore {
   public:
    std::optional<store::ObjectMeta> find(std::string_view key, const Call& call) override {
      if (key.ends_with("marker2")) throw std::runtime_error{"not as we do"};
      return MemoryStore::find(key, call);
    }
    void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override {
      if (key.ends_with("custom-4.json")) throw std::runtime_error{"nor this"};
      MemoryStore::remove(key, options, call);
    }
  };
  world.store = std::make_shared<Foreign>();
  for (const int i : {1, 2, 3, 4}) {
    const std::string bid = "custom-" + std::to_string(i), marker = "marker" + std::to_string(i);
    world.store->put(marker, as_bytes("{}"), {.metadata = {{"penstock-bundle", "mine"}}});
    const PendingRecord record{
        .ref = reference(bid), .written = kNow, .marker = Marker{"", marker, "mine"}, .owner = "o"};
    world.store->put("out/_pending/default/" + bid + ".json", as_bytes(to_text(record)));
  }
  const RecoveryReport report = world.storage()->recover(world.recipe);
  EXPECT_LE(report.recovered, 2u);
  EXPECT_GE(report.failed, 2u);
  EXPECT_EQ(report.recovered + report.failed, 4u);
  const Names left = world.pending();
  EXPECT_TRUE(std::ranges::count(left, "out/_pending/default/custom-2.json"));
  EXPECT_TRUE(std::ranges::count(left, "out/_pending/default/custom-4.json"));
}

TEST_F(RecoveryTest, what_cannot_be_removed_is_told_of_and_counted) {
  class Keeping : public store::MemoryStore {
   public:
    void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override {
      if (key.ends_with("custom-2.json")) throw Error{Kind::denied, "not this one"};
      MemoryStore::remove(key, options, call);
    }
  };
  world.store = std::make_shared<Keeping>();
  world.store->put("marker", as_bytes("{}"), {.metadata = {{"penstock-bundle", "mine"}}});
  for (const char* bid : {"custom-1", "custom-2", "custom-3"})
    world.store->put("out/_pending/default/" + std::string{bid} + ".json", as_bytes(committed_record(bid)));
  const RecoveryReport report = world.storage()->recover(world.recipe);
  EXPECT_EQ(report.recovered, 2u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(world.pending(), Names{"out/_pending/default/custom-2.json"});
}

TEST_F(RecoveryTest, an_owner_that_dies_while_its_marker_is_looked_for_may_have_published) {
  int hold[2], told[2];
  ASSERT_EQ(::pipe(hold), 0);
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(hold[1]);
    const std::string owner = this_owner();
    const bool written = ::write(told[1], owner.data(), owner.size()) > 0;
    char c;
    while (::read(hold[0], &c, 1) > 0) continue;
    ::_exit(written ? 0 : 1);
  }
  std::string owner(256, '\0');
  const ssize_t n = ::read(told[0], owner.data(), owner.size());
  ASSERT_GT(n, 0);
  owner.resize(static_cast<std::size_t>(n));
  const PendingRecord record{.ref = reference(), .written = kNow, .marker = Marker{}, .owner = owner};
  const auto look = [&](const Marker&) {
    ::close(hold[1]);  // it publishes now, and dies
    ::waitpid(child, nullptr, 0);
    return Found::nothing;
  };
  EXPECT_EQ(judge(record, look, world.clock->wall()), Verdict::leave);
  EXPECT_EQ(
      judge(record, [](const Marker&) { return Found::nothing; }, world.clock->wall()), Verdict::discard);
  for (const int fd : {hold[0], told[0], told[1]}) ::close(fd);
}

TEST(Owner, is_dead_only_if_its_process_is_known_to_be_gone) {
  const std::string here = this_owner().substr(0, this_owner().find('/'));
  const std::string mine = this_owner();
  const std::string begin = mine.substr(0, mine.rfind('/', mine.rfind('/') - 1) + 1);
  const std::string pid = std::to_string(::getpid());
  EXPECT_FALSE(is_surely_dead(mine));
  EXPECT_TRUE(is_surely_dead(begin + pid + "/1"));   // its number was given again
  EXPECT_FALSE(is_surely_dead(begin + pid + "/"));   // it could not say when it began
  EXPECT_TRUE(is_surely_dead(begin + "4194305/1"));  // over the greatest there can be
  EXPECT_FALSE(is_surely_dead(here + "/elsewhere/4194305/1"));
}

}  // namespace
}  // namespace penstock::bundles::test
