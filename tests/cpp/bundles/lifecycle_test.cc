#include "penstock/bundles/lifecycle.h"

#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;

TEST(Lifecycle, makes_way_only_once_its_last_add_has_taken_back_what_it_wrote) {
  int discarded = 0;
  Lifecycle lifecycle{[&](std::string_view) { ++discarded; }};
  std::optional<Lifecycle::Add> late{lifecycle.begin_add()};
  EXPECT_TRUE(lifecycle.abandon("the test"));
  EXPECT_FALSE(lifecycle.make_way());
  EXPECT_EQ(discarded, 0);
  late.reset();
  EXPECT_TRUE(lifecycle.make_way());
  EXPECT_EQ(discarded, 1);
}

TEST(Lifecycle, one_that_was_never_used_makes_way_at_once) {
  Lifecycle lifecycle{[](std::string_view) {}};
  EXPECT_TRUE(lifecycle.make_way());
  EXPECT_EQ(lifecycle.state(), State::abandoned);
}

TEST(Lifecycle, a_bid_is_not_given_away_while_an_add_of_the_old_bundle_still_runs) {
  ObjectWorld world;
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto old = storage->start(ref, world.recipe);
  Pipe pipe;
  std::optional<Error> added;
  std::jthread adds{
      [&] { added = penstock::test::error_from([&] { old->add({.url = "https://h/a"}, pipe.reader); }); }};
  while (old->state() != State::adding) std::this_thread::yield();
  old->abort("the test");
  EXPECT_EQ(error_of([&] { storage->start(ref, world.recipe); }).facts().code, code::kAlreadyOpen);
  pipe.writer.abort("the test");
  adds.join();
  const auto fresh = storage->start(ref, world.recipe);
  add(*fresh, "https://h/a", "new");
  fresh->finish(Json::object());
  EXPECT_EQ(slurp(*world.store, "out/bundles/custom-one/resources/a"), "new");
}

}  // namespace
}  // namespace penstock::bundles::test
