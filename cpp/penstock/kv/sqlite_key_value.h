// Entries in a file of SQLite: on one machine, for any number of processes, through a power loss.
//
// Life:     made without I/O; the first call opens or creates the file. A put() that returned is on the disk
//           (write-ahead log, flushed at every commit).
// Threads:  shared freely; one call at a time uses the file, the others wait. Other processes may use it too:
//           a call waits for them up to config.busy_timeout, then Error(busy, code locked).
// Fork:     the file is closed before the process forks and opened again by the next call of either side.
// Memory:   2 MiB of SQLite's, and a value twice while it is read or written.
// Disk:     docs/formats/kv-sqlite.md. What has expired is deleted by later puts, two a put.
// Time:     expiry is by the wall clock, as it must mean the same to the next process.
#pragma once

#include <memory>
#include <string>

#include "penstock/base/clock.h"
#include "penstock/kv/key_value.h"

namespace penstock::kv {

struct SqliteConfig {
  std::string path{};
  std::chrono::milliseconds busy_timeout{10'000};
  std::shared_ptr<Clock> clock{};  // null: the system's
};

class SqliteKeyValue : public KeyValue {
 public:
  explicit SqliteKeyValue(std::string path) : SqliteKeyValue(SqliteConfig{.path = std::move(path)}) {}
  // Error(refused) without a path, and for ":memory:", which would be gone with the first fork.
  explicit SqliteKeyValue(SqliteConfig config);
  ~SqliteKeyValue() override;

  void put(std::string_view key, std::string_view value, Ttl ttl = {}, const Call& call = {}) override;
  std::optional<std::string> get(std::string_view key, const Call& call = {}) override;
  bool remove(std::string_view key, const Call& call = {}) override;
  bool exists(std::string_view key, const Call& call = {}) override;
  std::vector<Entry> range(std::string_view start, const RangeOptions& options = {},
                           const Call& call = {}) override;
  // In the order of the keys' bytes.
  std::unique_ptr<KeyScan> scan(std::string_view pattern, const Call& call = {}) override;
  std::uint64_t count(const Call& call = {}) override;
  void clear(const Call& call = {}) override;
  void close() override;
  std::string location() const override;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace penstock::kv
