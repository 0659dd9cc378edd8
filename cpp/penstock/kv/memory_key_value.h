// Entries in memory: for tests, notebooks, and what need not outlive the process.
//
// Life:     entries live as long as the store or a scan of it. A forked child has its own copy.
// Threads:  shared freely.
// Memory:   all of it, up to options.max_bytes with kEntryBytes an entry; what has expired makes room.
// Failure:  full is Error(busy, code no_space); an entry larger than the whole store is Error(refused, code
//           too_large).
#pragma once

#include <cstdint>
#include <memory>

#include "penstock/base/clock.h"
#include "penstock/kv/key_value.h"

namespace penstock::kv {

struct MemoryConfig {
  std::uint64_t max_bytes = 256_MiB;
  std::shared_ptr<Clock> clock{};  // null: the system's
};

class MemoryKeyValue : public KeyValue {
 public:
  static constexpr std::uint64_t kEntryBytes = 192;  // the nodes of two trees and the key a second time

  explicit MemoryKeyValue(MemoryConfig config = {});
  ~MemoryKeyValue() override;

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
  std::string location() const override { return "memory"; }

  std::uint64_t used_bytes() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace penstock::kv
