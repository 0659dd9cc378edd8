// Bundles that were, or are about to be, published and of which not everybody was told: written down before
// the commit, removed after the last word.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/base/json.h"
#include "penstock/base/units.h"
#include "penstock/kv/key_value.h"
#include "penstock/store/object_store.h"

namespace penstock::bundles {

// A record as it was found: its text, or why that cannot be read.
struct FoundRecord {
  std::string text{};
  std::optional<Error> unread{};
};
using VisitRecord = std::function<bool(const FoundRecord& record)>;  // false: enough

// Whether an error is the end of a whole run over records: it was stopped, or its time is over.
bool ends_run(const Error& error, const Call& call);

inline constexpr std::uint64_t kMaxRecordBytes = 16_MiB;           // metadata is the caller's
inline constexpr std::size_t kMaxRecordDepth = kMaxJsonDepth + 2;  // meta lies in bundle_ref, that in it
inline constexpr std::size_t kMostRecords = 100'000;               // looked at in one run

// What of `keys` could not be removed. Throws only what ends_run().
std::map<std::string, Error> remove_keys(store::ObjectStore& store, std::span<const std::string> keys,
                                         const Call& call);

// Threads: shared freely. What it throws from put() stops the commit.
class PendingLog {
 public:
  virtual ~PendingLog() = default;
  virtual void put(std::string_view recipe_id, std::string_view bid, const std::string& record,
                   const Call& call) = 0;
  // Absent: fine. Those that could not be removed, by BID; throws only what ends_run().
  virtual std::map<std::string, Error> remove_many(std::string_view recipe_id,
                                                   std::span<const std::string> bids, const Call& call) = 0;
  void remove(std::string_view recipe_id, std::string_view bid, const Call& call);  // throws why it could not

  // Each record of a recipe, in the order of the BIDs, as long as `visit` says to go on; a record that is
  // gone meanwhile is passed over.
  virtual void each(std::string_view recipe_id, const VisitRecord& visit, const Call& call) = 0;
};

// In objects `{prefix}{recipe}/{bid}.json`, both as safe_part() has them.
class StorePendingLog : public PendingLog {
 public:
  explicit StorePendingLog(std::shared_ptr<store::ObjectStore> store, std::string prefix = {})
      : store_(std::move(store)), prefix_(std::move(prefix)) {}

  void put(std::string_view recipe_id, std::string_view bid, const std::string& record,
           const Call& call) override;
  std::map<std::string, Error> remove_many(std::string_view recipe_id, std::span<const std::string> bids,
                                           const Call& call) override;
  void each(std::string_view recipe_id, const VisitRecord& visit, const Call& call) override;

 private:
  std::string folder(std::string_view recipe_id) const;
  std::string key(std::string_view recipe_id, std::string_view bid) const;

  std::shared_ptr<store::ObjectStore> store_;
  std::string prefix_;
};

// In values under `{begin}{recipe}:{bid}`, kept for 30 days: the default of a store may be an hour.
class KvPendingLog : public PendingLog {
 public:
  explicit KvPendingLog(std::shared_ptr<kv::KeyValue> values,
                        std::string begin = "sqs_notifications:pending:")
      : values_(std::move(values)), begin_(std::move(begin)) {}

  void put(std::string_view recipe_id, std::string_view bid, const std::string& record,
           const Call& call) override;
  std::map<std::string, Error> remove_many(std::string_view recipe_id, std::span<const std::string> bids,
                                           const Call& call) override;
  void each(std::string_view recipe_id, const VisitRecord& visit, const Call& call) override;

 private:
  std::string key(std::string_view recipe_id, std::string_view bid) const;

  std::shared_ptr<kv::KeyValue> values_;
  std::string begin_;
};

}  // namespace penstock::bundles
