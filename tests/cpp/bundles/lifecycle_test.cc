#include "penstock/bundles/lifecycle.h"

#include <latch>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_from;

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

// Reads nothing until it is let go, whoever asks it to stop.
struct Stubborn : Source {
  std::latch is_read{1}, let_go{1};
  std::size_t read(MutableBytes) override {
    is_read.count_down();
    let_go.wait();
    return 0;
  }
};

TEST(Lifecycle, a_bid_is_not_given_away_while_an_add_of_the_old_bundle_still_runs) {
  ObjectWorld world;
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto old = storage->start(ref, world.recipe);
  Stubborn body;
  std::optional<Error> added;
  std::jthread adds{[&] { added = error_from([&] { old->add({.url = "https://h/a"}, body); }); }};
  body.is_read.wait();
  old->abort("the test");
  const auto refused = error_from([&] { storage->start(ref, world.recipe); });
  body.let_go.count_down();
  adds.join();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->facts().code, code::kAlreadyOpen);
  ASSERT_TRUE(added);
  EXPECT_EQ(added->kind(), Kind::cancelled);
  const auto fresh = storage->start(ref, world.recipe);
  add(*fresh, "https://h/a", "new");
  fresh->finish(Json::object());
  EXPECT_EQ(slurp(*world.store, "out/bundles/custom-one/resources/a"), "new");
}

}  // namespace
}  // namespace penstock::bundles::test
