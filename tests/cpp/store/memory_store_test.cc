#include "penstock/store/memory_store.h"

#include <string>

#include <gtest/gtest.h>

#include "penstock/disk/system_error.h"

#include "support/errors.h"

namespace penstock::store {
namespace {

using test::error_of;

TEST(MemoryStore, HoldsNoMoreThanItsLimitAndGivesBack) {
  MemoryStore store{{.max_bytes = 1000}};
  store.put("a", as_bytes(std::string(600, 'a')));
  Error full = error_of([&] { store.put("b", as_bytes(std::string(600, 'b'))); });
  EXPECT_EQ(full.kind(), Kind::busy);
  EXPECT_EQ(full.facts().code, disk::code::kNoSpace);
  EXPECT_EQ(store.used_bytes(), 600u);
  EXPECT_EQ(error_of([&] { store.put("b", as_bytes(std::string(1001, 'b'))); }).facts().code,
            code::kTooLarge);
  store.remove("a");
  EXPECT_EQ(store.used_bytes(), 0u);
  store.put("b", as_bytes(std::string(1000, 'b')));
}

TEST(MemoryStore, ChargesItsBudgetForAsLongAsTheBytesLive) {
  auto budget = Budget::create(1_MiB);
  {
    MemoryStore store{{.budget = budget}};
    store.put("a", as_bytes(std::string(300'000, 'a')));
    EXPECT_GE(budget->statistics().used, 300'000u);
    EXPECT_EQ(error_of([&] { store.put("b", as_bytes(std::string(900'000, 'b'))); }).kind(), Kind::busy);
  }
  EXPECT_EQ(budget->statistics().used, 0u);
}

TEST(MemoryStore, BucketsAreApartAndTheSameEachTime) {
  MemoryStore store;
  store.with_bucket("x")->put("k", as_bytes("in x"));
  EXPECT_FALSE(store.exists("k"));
  EXPECT_TRUE(store.with_bucket("x")->exists("k"));
  EXPECT_FALSE(store.with_bucket("y")->exists("k"));
  EXPECT_EQ(store.with_bucket("x")->location("k"), "memory:x/k");
  EXPECT_EQ(store.location("k"), "memory:k");
}

TEST(MemoryStore, TakesItsTimesFromItsClock) {
  auto clock = std::make_shared<ManualClock>(WallTime{std::chrono::seconds{1'700'000'000}});
  MemoryStore store{{.clock = clock}};
  store.put("k", as_bytes("x"));
  EXPECT_EQ(store.head("k").last_modified, clock->wall());
}

}  // namespace
}  // namespace penstock::store
