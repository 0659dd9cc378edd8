// Small values under names: the one seam under whatever must remember something between two runs.
//
// Threads:  a store is shared freely.
// Keys:     1..kMaxKeyBytes of any bytes, ordered as bytes. Values: 0..kMaxValueBytes of any bytes.
// Life of an entry: until it is removed or its ttl is over; it is then as if it had never been there.
// Failure:  absence is nullopt, false, an empty list. Error(refused) for what no store takes, before any I/O.
//           Reads and writes of one key are atomic; there is no transaction over several.
// One contract suite runs on every backing (tests/cpp/kv/contract.h, penstock.testing).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/call.h"
#include "penstock/base/units.h"

namespace penstock::kv {

inline constexpr std::size_t kMaxKeyBytes = 4096;
inline constexpr std::size_t kMaxPatternBytes = 4 * kMaxKeyBytes;
inline constexpr std::uint64_t kMaxValueBytes = 32_MiB;
inline constexpr std::uint64_t kMaxRangeBytes = 64_MiB;  // keys and values of one range()

// How long an entry is to live: nullopt is for ever, zero or less is not at all. Over a century is one.
using Ttl = std::optional<std::chrono::milliseconds>;

struct Entry {
  std::string key, value;
};

struct RangeOptions {
  std::optional<std::string> end{};    // the first key that is not meant; unset: no end
  std::optional<std::size_t> limit{};  // the first so many
};

// The keys a pattern finds, a page at a time. Every key that is there from begin to end of the scan comes at
// least once, one that comes or goes meanwhile may or may not, and Redis may tell a key twice.
//
// Life:     keeps what it needs of its store.
// Memory:   one page: 256 keys, or what Redis gives at a time.
// Threads:  one at a time.
class KeyScan {
 public:
  virtual ~KeyScan() = default;
  virtual std::optional<std::string> next() = 0;  // nullopt: the end
};

class KeyValue {
 public:
  virtual ~KeyValue() = default;

  // Replaces what is there, its ttl too. With a ttl of zero or less it removes.
  virtual void put(std::string_view key, std::string_view value, Ttl ttl = {}, const Call& call = {}) = 0;
  virtual std::optional<std::string> get(std::string_view key, const Call& call = {}) = 0;
  virtual bool remove(std::string_view key, const Call& call = {}) = 0;  // whether it was there
  virtual bool exists(std::string_view key, const Call& call = {}) = 0;

  // The entries from `start` (may be empty: from the first) in ascending order of the keys' bytes. Throws
  // Error(refused, code too_large) if they come to more than kMaxRangeBytes: ask with a limit, go on behind
  // the last key.
  virtual std::vector<Entry> range(std::string_view start, const RangeOptions& options = {},
                                   const Call& call = {}) = 0;
  // The keys that match `pattern` (glob.h), in no order.
  virtual std::unique_ptr<KeyScan> scan(std::string_view pattern, const Call& call = {}) = 0;

  // How many entries there are.
  virtual std::uint64_t count(const Call& call = {}) = 0;
  // Removes all there is, whoever wrote it.
  virtual void clear(const Call& call = {}) = 0;
  // Lets go of connections and files that no call is using; the next call opens them again.
  virtual void close() {}

  // Where it is, for people and errors: "memory", "sqlite:/path", "redis://host:port/0".
  virtual std::string location() const = 0;
};

// --- What every backing needs ---

void check_key(std::string_view key);
void check_value(std::string_view value);
void check_pattern(std::string_view pattern);
void check_range(std::string_view start, const RangeOptions& options);

// At most a century, as some clocks end.
std::chrono::milliseconds bounded(std::chrono::milliseconds ttl);

// What a range() has gathered, within kMaxRangeBytes.
class Gathered {
 public:
  explicit Gathered(const RangeOptions& options) : most_(options.limit.value_or(SIZE_MAX)) {}
  bool full() const { return entries_.size() >= most_; }
  std::uint64_t room() const { return kMaxRangeBytes - bytes_; }
  std::size_t wanted() const { return most_ - entries_.size(); }
  void add(std::string_view key, std::string_view value);  // Error(refused, too_large)
  std::vector<Entry> take() { return std::move(entries_); }

 private:
  std::size_t most_;
  std::uint64_t bytes_ = 0;
  std::vector<Entry> entries_;
};

[[noreturn]] void refuse_large_range();

}  // namespace penstock::kv
