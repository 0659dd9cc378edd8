#include "penstock/store/level_listing.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/store/memory_store.h"

#include "support/errors.h"

namespace penstock::store {
namespace {

using Keys = std::vector<std::string>;

class CountingStore : public MemoryStore {
 public:
  std::unique_ptr<Listing> list(std::string_view prefix, const ListOptions& options,
                                const Call& call) override {
    ++listings;
    return MemoryStore::list(prefix, options, call);
  }
  int listings = 0;
};

class LevelListingTest : public ::testing::Test {
 protected:
  void put(const Keys& keys) {
    for (const std::string& key : keys) store.put(key, as_bytes("x"));
  }
  // Entries in order; prefixes are marked.
  Keys level(std::string_view prefix = {}, std::string_view delimiter = "/", const std::string& after = {}) {
    LevelListing listing{store, prefix, delimiter, {.start_after = after}, {}};
    Keys found;
    while (auto meta = listing.next()) found.push_back(meta->key + (meta->is_prefix ? "*" : ""));
    return found;
  }
  CountingStore store;
};

TEST_F(LevelListingTest, WhatLiesDeeperIsOneEntryInItsPlace) {
  put({"a", "b/1", "b/2/3", "b0", "c/", "d"});
  EXPECT_EQ(level(), (Keys{"a", "b/*", "b0", "c/*", "d"}));
  EXPECT_EQ(level("b/"), (Keys{"b/1", "b/2/*"}));
  EXPECT_EQ(level("b"), (Keys{"b/*", "b0"}));
  EXPECT_EQ(level("none/"), Keys{});
}

TEST_F(LevelListingTest, ManyKeysBelowAPrefixCostOneListingMore) {
  for (int i = 0; i < 500; ++i) put({"deep/" + std::to_string(i)});
  put({"flat"});
  EXPECT_EQ(level(), (Keys{"deep/*", "flat"}));
  EXPECT_EQ(store.listings, 2);
}

TEST_F(LevelListingTest, BeginsBehindTheKeyItIsTold) {
  put({"a/1", "a/2", "b/1", "c"});
  EXPECT_EQ(level({}, "/", "a/"), (Keys{"b/*", "c"}));
  EXPECT_EQ(level({}, "/", "a/1"), (Keys{"b/*", "c"})) << "the prefix itself sorts before";
  EXPECT_EQ(level({}, "/", "b"), (Keys{"b/*", "c"}));
}

TEST_F(LevelListingTest, TheDelimiterMayHaveMoreThanACharacter) {
  put({"a--1", "a--2", "a-b", "b"});
  EXPECT_EQ(level({}, "--"), (Keys{"a--*", "a-b", "b"}));
}

TEST_F(LevelListingTest, WithoutADelimiterItIsRefused) {
  const Error error = test::error_of([&] { level({}, ""); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, "delimiter");
}

TEST_F(LevelListingTest, AStopEndsIt) {
  put({"a"});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(
      test::error_of([&] { LevelListing{store, {}, "/", {}, {.stop = stop.get_token()}}.next(); }).kind(),
      Kind::cancelled);
}

}  // namespace
}  // namespace penstock::store
