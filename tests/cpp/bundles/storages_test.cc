// What both storages promise.
#include "bundles/storages.h"

#include <thread>

#include <gtest/gtest.h>

#include "penstock/bundles/bid.h"

#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;
using Files = std::map<std::string, std::string>;

template <class Of>
class BundleStorageTest : public ::testing::Test {
 protected:
  std::unique_ptr<Bundle> start(BundleStorage& storage, const std::string& bid = kBid) {
    BundleRef ref = reference(bid);
    return storage.start(ref, world.recipe);
  }
  Of world;
};
using Worlds = ::testing::Types<FolderWorld, ObjectWorld>;
TYPED_TEST_SUITE(BundleStorageTest, Worlds);

TYPED_TEST(BundleStorageTest, all_become_visible_together) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  const StoredResource stored = add(*bundle, "https://h/a/b.csv", "one");
  EXPECT_EQ(stored.name, "a_b.csv");
  EXPECT_EQ(stored.bytes, 3u);
  EXPECT_EQ(stored.sha256, sha256_hex("one"));
  add(*bundle, "https://h/a_b.csv", "two");
  EXPECT_EQ(this->world.visible(kBid), std::nullopt);
  const BundleReceipt receipt = bundle->finish({{"source", "test"}});
  EXPECT_EQ(receipt.resources_stored, 2u);
  EXPECT_EQ(receipt.bytes, 6u);
  EXPECT_EQ(this->world.visible(kBid),
            (Files{{"a_b.csv", "one"}, {"a_b~" + sha256_hex("https://h/a_b.csv", 8) + ".csv", "two"}}));
  EXPECT_EQ(bundle->state(), State::completed);
  EXPECT_EQ(this->world.told->ids, std::vector{kBid});
  EXPECT_TRUE(this->world.pending().empty());
  EXPECT_TRUE(this->world.leftovers().empty());
}

TYPED_TEST(BundleStorageTest, an_empty_bundle_is_a_bundle) {
  const auto storage = this->world.storage();
  this->start(*storage)->finish(Json::object());
  EXPECT_EQ(this->world.visible(kBid), Files{});
}

TYPED_TEST(BundleStorageTest, one_dropped_or_aborted_is_not_visible_and_its_bid_is_free) {
  const auto storage = this->world.storage();
  {
    const auto dropped = this->start(*storage);
    add(*dropped, "https://h/a", "x");
  }
  const auto aborted = this->start(*storage);
  add(*aborted, "https://h/a", "x");
  aborted->abort("no reason");
  EXPECT_EQ(aborted->state(), State::abandoned);
  EXPECT_EQ(error_of([&] { add(*aborted, "https://h/b", "y"); }).facts().code, code::kNotFound);
  EXPECT_EQ(error_of([&] { aborted->finish(Json::object()); }).message(), "Bundle not found");
  EXPECT_EQ(this->world.visible(kBid), std::nullopt);
  EXPECT_TRUE(this->world.leftovers().empty());
  this->start(*storage)->finish(Json::object());
}

TYPED_TEST(BundleStorageTest, that_one_is_abandoned_is_told_once) {
  std::vector<std::string> told;
  this->world.services.on_abandoned = [&](const std::string& bid, std::string_view why) {
    told.push_back(bid + ": " + std::string{why});
  };
  const auto storage = this->world.storage();
  const auto aborted = this->start(*storage, "custom-aborted");
  aborted->abort("enough");
  aborted->abort("again");
  this->start(*storage, "custom-dropped");
  const auto replaced = this->start(*storage, "custom-replaced"),
             completed = this->start(*storage, "custom-replaced");
  completed->finish(Json::object());
  EXPECT_EQ(told,
            (std::vector<std::string>{"custom-aborted: enough", "custom-dropped: it was dropped unfinished",
                                      "custom-replaced: another bundle of the same BID was started"}));
}

TYPED_TEST(BundleStorageTest, an_open_bundle_gives_way_to_another_of_its_bid) {
  const auto storage = this->world.storage();
  const auto first = this->start(*storage);
  const auto second = this->start(*storage);
  EXPECT_EQ(first->state(), State::abandoned);
  add(*second, "https://h/a", "second");
  second->finish(Json::object());
  EXPECT_EQ(this->world.visible(kBid), (Files{{"a", "second"}}));
}

TYPED_TEST(BundleStorageTest, a_bid_under_way_or_completed_is_a_conflict) {
  const auto storage = this->world.storage(), other = this->world.storage();
  const auto bundle = this->start(*storage);
  EXPECT_EQ(error_of([&] { this->start(*other); }).message(), "Bundle custom-one already open");
  bundle->finish(Json::object());
  for (const auto* each : {&storage, &other}) {
    const Error error = error_of([&] { this->start(**each); });
    EXPECT_EQ(error.kind(), Kind::conflict);
    EXPECT_EQ(error.message(), "Bundle custom-one already completed");
  }
}

TYPED_TEST(BundleStorageTest, a_generated_bid_that_is_completed_is_a_conflict_and_its_bundle_stays) {
  const std::string bid = Bid::generate().text();
  const auto storage = this->world.storage(), other = this->world.storage();
  {
    const auto bundle = this->start(*storage, bid);
    add(*bundle, "https://h/a", "first");
    bundle->finish(Json::object());
  }
  for (const auto* each : {&storage, &other})
    EXPECT_EQ(error_of([&] { this->start(**each, bid); }).facts().code, code::kAlreadyCompleted);
  EXPECT_EQ(this->world.visible(bid), (Files{{"a", "first"}}));
  EXPECT_TRUE(this->world.leftovers().empty());
}

TYPED_TEST(BundleStorageTest, an_add_that_fails_leaves_a_note_and_the_bundle_goes_on) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  MemorySource text{as_bytes("twelve bytes")};
  SlowSource broken{text, 5};
  broken.break_at(5, Error{Kind::lost, "cut"});
  EXPECT_EQ(error_of([&] { bundle->add({.url = "https://h/a"}, broken); }).kind(), Kind::lost);
  add(*bundle, "https://h/a", "again");  // under the same name
  const BundleReceipt receipt = bundle->finish(Json::object());
  EXPECT_EQ(receipt.resources_failed, 1u);
  EXPECT_EQ(this->world.visible(kBid), (Files{{"a", "again"}}));
}

TYPED_TEST(BundleStorageTest, strict_completes_only_what_was_expected) {
  this->world.services.strict = true;
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  add(*bundle, "https://h/a", "1");
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).facts().code, code::kIncomplete);
  EXPECT_EQ(bundle->state(), State::failed);
  EXPECT_EQ(this->world.visible(kBid), std::nullopt);
}

TYPED_TEST(BundleStorageTest, a_group_is_kept_whole_or_not_at_all) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  const auto member = [](Group& group, const std::string& url) {
    MemorySource body{as_bytes("m")};
    group.add({.url = url}, body, {});
  };
  {
    const auto dropped = bundle->open_group();
    member(*dropped, "https://h/1");
    member(*dropped, "https://h/2");
  }
  const auto kept = bundle->open_group();
  member(*kept, "https://h/2");
  member(*kept, "https://h/3");
  kept->skip({.url = "https://h/link"}, "link");
  kept->keep();
  EXPECT_EQ(bundle->state(), State::adding);
  const_cast<std::unique_ptr<Group>&>(kept).reset();
  EXPECT_EQ(bundle->finish(Json::object()).resources_stored, 2u);
  EXPECT_EQ(this->world.visible(kBid), (Files{{"2", "m"}, {"3", "m"}}));
}

TYPED_TEST(BundleStorageTest, metadata_too_large_to_tell_publishes_nothing) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  EXPECT_EQ(error_of([&] { bundle->finish({{"too_much", 1}}); }).kind(), Kind::refused);
  EXPECT_EQ(this->world.visible(kBid), std::nullopt);
  bundle->finish({{"little", 1}});
  EXPECT_NE(this->world.visible(kBid), std::nullopt);
}

TYPED_TEST(BundleStorageTest, after_a_failed_announcement_only_that_is_done_again) {
  int called = 0;
  this->world.recipe.on_complete = {[&](const BundleRef&) { ++called; }};
  this->world.told->failures = 2;
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::denied);
  EXPECT_EQ(bundle->state(), State::failed);
  EXPECT_NE(this->world.visible(kBid), std::nullopt);
  EXPECT_EQ(this->world.pending().size(), 1u);
  bundle->abort("too late");  // it is published
  bundle->finish(Json::object());
  bundle->finish(Json::object());
  EXPECT_EQ(called, 1);
  EXPECT_EQ(this->world.told->ids.size(), 1u);
  EXPECT_TRUE(this->world.pending().empty());
}

TYPED_TEST(BundleStorageTest, an_announcement_that_may_pass_is_tried_again_at_once) {
  this->world.told->failures = 1;
  this->world.told->kind = Kind::busy;
  const auto storage = this->world.storage();
  this->start(*storage)->finish(Json::object());
  EXPECT_EQ(this->world.told->tries, 2);
}

TYPED_TEST(BundleStorageTest, a_deferred_announcement_is_made_by_recovery) {
  this->world.services.publish_errors = PublishErrors::defer;
  this->world.told->failures = 1;
  const auto storage = this->world.storage();
  this->start(*storage)->finish({{"k", "v"}});
  EXPECT_TRUE(this->world.told->ids.empty());
  const RecoveryReport report = this->world.storage()->recover(this->world.recipe);
  EXPECT_EQ(report.recovered, 1u);
  EXPECT_EQ(this->world.told->ids, std::vector{kBid});
  EXPECT_NE(this->world.told->last.find(R"("k": "v")"), std::string::npos);
  EXPECT_TRUE(this->world.pending().empty());
}

TYPED_TEST(BundleStorageTest, callbacks_that_throw_do_not_stop_the_others) {
  std::vector<int> called;
  this->world.recipe.on_complete = {[&](const BundleRef&) {
                                      called.push_back(1);
                                      throw std::runtime_error("no");
                                    },
                                    [&](const BundleRef& ref) { called.push_back(ref.storage_key ? 2 : 3); }};
  this->start(*this->world.storage())->finish(Json::object());
  EXPECT_EQ(called, (std::vector{1, 2}));
}

TYPED_TEST(BundleStorageTest, callback_errors_may_be_raised_and_keep_the_record) {
  int fail = 1;
  this->world.services.callback_errors = CallbackErrors::raise;
  this->world.recipe.on_complete = {[&](const BundleRef&) {
    if (fail-- > 0) throw std::runtime_error("no");
  }};
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  EXPECT_THROW(bundle->finish(Json::object()), std::runtime_error);
  EXPECT_EQ(this->world.pending().size(), 1u);
  bundle->finish(Json::object());
  EXPECT_TRUE(this->world.pending().empty());
}

TYPED_TEST(BundleStorageTest, recovery_leaves_what_may_be_under_way_and_drops_what_cannot) {
  const auto storage = this->world.storage();
  // Written down by a live process that has not come to the commit.
  Services services;
  this->world.told->failures = 1;
  const auto bundle = this->start(*storage);
  EXPECT_THROW(bundle->finish(Json::object()), Error);
  ASSERT_EQ(this->world.pending().size(), 1u);
  EXPECT_EQ(this->world.storage()->recover(this->world.recipe).recovered, 1u);
  Recipe other{.id = "other"};
  EXPECT_EQ(this->world.storage()->recover(other).recovered, 0u);
}

TYPED_TEST(BundleStorageTest, of_many_at_once_one_finishes_and_all_have_its_outcome) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  std::atomic<int> done{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&, i] {
        add(*bundle, "https://h/" + std::to_string(i), "x");
        ++done;
      });
  }
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] { done += bundle->finish(Json::object()).bytes == 8; });
  }
  EXPECT_EQ(done, 16);
  EXPECT_EQ(this->world.told->ids.size(), 1u);
  EXPECT_EQ(this->world.visible(kBid)->size(), 8u);
}

TYPED_TEST(BundleStorageTest, finish_waits_for_adds_and_refuses_new_ones) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  Pipe pipe;
  std::jthread adds{[&] { bundle->add({.url = "https://h/slow"}, pipe.reader); }};
  pipe.writer.write(as_bytes("first "));
  while (bundle->state() != State::adding) std::this_thread::yield();
  std::jthread finishes{[&] { bundle->finish(Json::object()); }};
  while (bundle->state() != State::completing) std::this_thread::yield();
  EXPECT_EQ(error_of([&] { add(*bundle, "https://h/late", "x"); }).message(), "Bundle not found");
  pipe.writer.write(as_bytes("last"));
  pipe.writer.finish();
  finishes.join();
  EXPECT_EQ(this->world.visible(kBid), (Files{{"slow", "first last"}}));
}

TYPED_TEST(BundleStorageTest, an_abort_stops_adds_and_a_finish_that_waits_for_them) {
  const auto storage = this->world.storage();
  const auto bundle = this->start(*storage);
  MemorySource text{as_bytes(std::string_view{"0123456789"})};
  std::stop_source stop;
  std::optional<Error> added, finished;
  Pipe pipe{1024, {.stop = stop.get_token()}};
  std::jthread adds{
      [&] { added = penstock::test::error_from([&] { bundle->add({.url = "https://h/a"}, pipe.reader); }); }};
  while (bundle->state() != State::adding) std::this_thread::yield();
  std::jthread finishes{
      [&] { finished = penstock::test::error_from([&] { bundle->finish(Json::object()); }); }};
  while (bundle->state() != State::completing) std::this_thread::yield();
  std::jthread aborts{[&] { bundle->abort("changed my mind"); }};
  finishes.join();
  stop.request_stop();  // the body is the test's own, so only it can end it
  adds.join();
  aborts.join();
  ASSERT_TRUE(finished && added);
  EXPECT_EQ(finished->kind(), Kind::cancelled);
  EXPECT_EQ(bundle->state(), State::abandoned);
  EXPECT_EQ(this->world.visible(kBid), std::nullopt);
  EXPECT_TRUE(this->world.leftovers().empty());
}

TYPED_TEST(BundleStorageTest, bundles_of_generated_bids_need_no_claim) {
  const auto storage = this->world.storage();
  std::vector<std::unique_ptr<Bundle>> bundles;
  for (int i = 0; i < 20; ++i) {
    BundleRef ref = reference(Bid::generate().text());
    bundles.push_back(storage->start(ref, this->world.recipe));
    EXPECT_TRUE(ref.storage_key.has_value());
  }
  for (const auto& bundle : bundles) bundle->finish(Json::object());
  EXPECT_EQ(this->world.told->ids.size(), 20u);
}

}  // namespace
}  // namespace penstock::bundles::test
