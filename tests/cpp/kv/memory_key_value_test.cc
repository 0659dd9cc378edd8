#include "penstock/kv/memory_key_value.h"

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"

namespace penstock::kv {
namespace {

using namespace std::chrono_literals;
using test::error_of;

TEST(MemoryKeyValue, a_full_store_is_busy_and_keeps_what_it_has) {
  MemoryKeyValue store{{.max_bytes = 3'000}};
  store.put("a", std::string(1'000, 'a'));
  store.put("b", std::string(1'000, 'b'));
  const Error error = error_of([&] { store.put("c", std::string(1'000, 'c')); });
  EXPECT_EQ(error.kind(), Kind::busy);
  EXPECT_EQ(error.facts().code, "no_space");
  EXPECT_EQ(store.count(), 2U);
  store.put("a", std::string(1'100, 'A'));  // in the place of its former value
  EXPECT_EQ(error_of([&] { store.put("a", std::string(2'000, 'x')); }).kind(), Kind::busy);
  EXPECT_EQ(store.get("a"), std::string(1'100, 'A'));
  store.remove("b");
  store.put("c", std::string(1'000, 'c'));
}

TEST(MemoryKeyValue, what_can_never_fit_is_refused) {
  MemoryKeyValue store{{.max_bytes = 1'000}};
  const Error error = error_of([&] { store.put("k", std::string(1'000, 'v')); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

TEST(MemoryKeyValue, what_has_expired_makes_room) {
  auto clock = std::make_shared<ManualClock>();
  MemoryKeyValue store{{.max_bytes = 3'000, .clock = clock}};
  store.put("a", std::string(2'000, 'a'), 10s);
  clock->advance(10s);
  store.put("b", std::string(2'000, 'b'));
  EXPECT_EQ(store.count(), 1U);
}

TEST(MemoryKeyValue, an_emptied_store_holds_no_bytes) {
  auto clock = std::make_shared<ManualClock>();
  MemoryKeyValue store{{.clock = clock}};
  store.put("removed", "v");
  store.put("replaced", "a longer one");
  store.put("replaced", "v", 1s);
  store.put("expires", "v", 1s);
  EXPECT_GT(store.used_bytes(), 3 * MemoryKeyValue::kEntryBytes);
  store.remove("removed");
  clock->advance(1s);
  EXPECT_EQ(store.used_bytes(), 0U);
}

}  // namespace
}  // namespace penstock::kv
