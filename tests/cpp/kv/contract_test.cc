// The one contract, on every backing: memory, SQLite, and a real Redis.

#include "kv/contract.h"

#include <thread>

#include "penstock/base/clock.h"
#include "penstock/kv/memory_key_value.h"
#include "penstock/kv/redis_key_value.h"
#include "penstock/kv/sqlite_key_value.h"

#include "kv/contract.inc"
#include "support/redis_server.h"
#include "support/temporary_folder.h"

namespace penstock::kv {
namespace {

// A clock at a time that is one: wall clocks start in 1970.
std::shared_ptr<ManualClock> clock() {
  return std::make_shared<ManualClock>(WallTime{std::chrono::hours{480'000}});
}

Made on_clock(std::shared_ptr<KeyValue> store, std::shared_ptr<ManualClock> clock) {
  return {std::move(store), [clock](std::chrono::milliseconds span) { clock->advance(span); }};
}

Backing memory_backing() {
  return {.name = "Memory",
          .make =
              [] {
                auto time = clock();
                return on_clock(std::make_shared<MemoryKeyValue>(MemoryConfig{.clock = time}), time);
              },
          .shared_with_a_child = false};
}

Backing sqlite_backing() {
  return {.name = "Sqlite", .make = [] {
            auto time = clock();
            auto folder = std::make_shared<test::TemporaryFolder>();
            auto* store = new SqliteKeyValue(SqliteConfig{.path = *folder / "kv.db", .clock = time});
            std::shared_ptr<KeyValue> owned(store, [folder](SqliteKeyValue* each) { delete each; });
            return on_clock(std::move(owned), time);
          }};
}

Backing redis_backing() {
  return {.name = "Redis",
          .make =
              [] {
                auto server = std::make_shared<test::RedisServer>();
                RedisConfig config{.host = "127.0.0.1", .port = server->port(), .db = 3};
                std::shared_ptr<KeyValue> owned(new RedisKeyValue(std::move(config)),
                                                [server](RedisKeyValue* each) { delete each; });
                // The server lives as long as the test, which may drop the store before it.
                return Made{std::move(owned),
                            [server](std::chrono::milliseconds span) { std::this_thread::sleep_for(span); }};
              },
          .own_clock = false};
}

INSTANTIATE_TEST_SUITE_P(Kv, KeyValueContract,
                         ::testing::Values(memory_backing(), sqlite_backing(), redis_backing()),
                         backing_name);

}  // namespace
}  // namespace penstock::kv
