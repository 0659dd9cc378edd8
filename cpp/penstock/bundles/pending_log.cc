#include "penstock/bundles/pending_log.h"

#include <array>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "penstock/bundles/names.h"
#include "penstock/bundles/window.h"
#include "penstock/kv/glob.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::hours kKeptFor{30 * 24};
// A bucket answers in milliseconds, and there may be thousands to ask for.
constexpr std::size_t kReadsAtOnce = 32, kReadTogether = 256;
constexpr std::uint64_t kReadBytesAtOnce = 64_MiB;

std::string text_of(store::ObjectStore& store, const std::string& key, const Call& call) {
  const auto object = store.get(key, {}, call);
  std::string text;
  std::array<std::byte, 16 * 1024> buffer{};
  while (const std::size_t n = object->read(buffer)) {
    text += as_text(Bytes{buffer}.first(n));
    if (text.size() > kMaxRecordBytes)
      throw Error{Kind::corrupt,
                  "a pending record is over 16 MiB: " + store.location(key),
                  {.doing = "read a pending record", .subject = store.location(key)}};
  }
  return text;
}

// nullopt: gone meanwhile.
std::optional<FoundRecord> read(store::ObjectStore& store, const std::string& key, const Call& call) {
  try {
    return FoundRecord{.text = text_of(store, key, call)};
  } catch (const Error& error) {
    if (error.kind() == Kind::missing) return std::nullopt;
    if (ends_run(error, call)) throw;
    return FoundRecord{.unread = error};
  }
}

std::optional<FoundRecord> read(kv::KeyValue& values, const std::string& key, const Call& call) {
  try {
    auto value = values.get(key, call);
    return value ? std::optional{FoundRecord{.text = std::move(*value)}} : std::nullopt;
  } catch (const Error& error) {
    if (ends_run(error, call)) throw;
    return FoundRecord{.unread = error};
  }
}

std::vector<std::string> some_of(store::Listing& listing) {
  std::vector<std::string> keys;
  for (std::uint64_t bytes = 0; keys.size() < kReadTogether && bytes < kReadBytesAtOnce;) {
    const auto object = listing.next();
    if (!object) break;
    keys.push_back(object->key);
    bytes += object->bytes;
  }
  return keys;
}

std::vector<std::optional<FoundRecord>> read_side_by_side(store::ObjectStore& store,
                                                          const std::vector<std::string>& keys,
                                                          const Call& call) {
  std::vector<std::optional<FoundRecord>> found(keys.size());
  Window window{kReadsAtOnce};
  for (std::size_t i = 0; i < keys.size(); ++i)
    window.run([&, i] { found[i] = read(store, keys[i], call); }, call);
  window.finish();
  return found;
}

// What lies behind "{recipe}:" may be of another recipe, "fr:monthly" for "fr": the record says of which
// bundle it is. What cannot be read is shown to all who may mean it.
bool is_of(std::string_view bid, const std::string& record) {
  if (bid.find(':') == bid.npos) return true;
  try {
    const auto json = parse_json(record, kMaxRecordDepth, kMaxRecordBytes);
    const auto ref = json.is_object() ? json.find("bundle_ref") : json.end();
    return text_at(ref != json.end() ? *ref : json, "bid") == bid;
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

bool ends_run(const Error& error, const Call& call) {
  return error.kind() == Kind::cancelled ||
         (error.facts().code == penstock::code::kDeadline && call.deadline.passed());
}

std::map<std::string, Error> remove_keys(store::ObjectStore& store, std::span<const std::string> keys,
                                         const Call& call) {
  std::map<std::string, Error> failures;
  const auto all_failed = [&](const Error& error) {
    for (const std::string& key : keys) failures.emplace(key, error);
  };
  try {
    if (keys.size() == 1) {  // a DELETE: every server has that
      store.remove(keys.front(), {}, call);
    } else {
      failures = store.remove_many(keys, call).errors;
    }
  } catch (const Error& error) {
    if (ends_run(error, call)) throw;
    all_failed(error);
  } catch (const std::exception& other) {  // of a store of somebody else's
    all_failed(Error{Kind::lost, other.what(), {.doing = "remove"}});
  }
  for (const auto& [key, error] : failures) {
    if (ends_run(error, call)) throw Error{error};
  }
  return failures;
}

void PendingLog::remove(std::string_view recipe_id, std::string_view bid, const Call& call) {
  const std::string one{bid};
  const auto failures = remove_many(recipe_id, {&one, 1}, call);
  if (!failures.empty()) throw Error{failures.begin()->second};
}

std::string StorePendingLog::folder(std::string_view recipe_id) const {
  return prefix_ + safe_part(recipe_id) + "/";
}

std::string StorePendingLog::key(std::string_view recipe_id, std::string_view bid) const {
  return folder(recipe_id) + safe_part(bid) + ".json";
}

void StorePendingLog::put(std::string_view recipe_id, std::string_view bid, const std::string& record,
                          const Call& call) {
  store_->put(key(recipe_id, bid), as_bytes(record), {.content_type = "application/json"}, call);
}

std::map<std::string, Error> StorePendingLog::remove_many(std::string_view recipe_id,
                                                          std::span<const std::string> bids,
                                                          const Call& call) {
  std::vector<std::string> keys;
  for (const std::string& bid : bids) keys.push_back(key(recipe_id, bid));
  const auto kept = remove_keys(*store_, keys, call);
  std::map<std::string, Error> failures;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto failure = kept.find(keys[i]); failure != kept.end())
      failures.emplace(bids[i], failure->second);
  }
  return failures;
}

void StorePendingLog::each(std::string_view recipe_id, const VisitRecord& visit, const Call& call) {
  const auto listing = store_->list(folder(recipe_id), {}, call);
  for (auto keys = some_of(*listing); !keys.empty(); keys = some_of(*listing))
    for (const auto& record : read_side_by_side(*store_, keys, call))
      if (record && !visit(*record)) return;
}

std::string KvPendingLog::key(std::string_view recipe_id, std::string_view bid) const {
  return begin_ + std::string{recipe_id} + ":" + std::string{bid};
}

void KvPendingLog::put(std::string_view recipe_id, std::string_view bid, const std::string& record,
                       const Call& call) {
  values_->put(key(recipe_id, bid), record, kKeptFor, call);
}

std::map<std::string, Error> KvPendingLog::remove_many(std::string_view recipe_id,
                                                       std::span<const std::string> bids, const Call& call) {
  std::map<std::string, Error> failures;
  for (const std::string& bid : bids) {
    try {
      values_->remove(key(recipe_id, bid), call);
    } catch (const Error& error) {
      if (ends_run(error, call)) throw;
      failures.emplace(bid, error);
    }
  }
  return failures;
}

// By one scan: a range of Redis goes through the whole database. A scan has no order, and may tell twice.
void KvPendingLog::each(std::string_view recipe_id, const VisitRecord& visit, const Call& call) {
  const std::string begin = key(recipe_id, "");
  std::set<std::string> keys;
  const auto scan = values_->scan(kv::escape_glob(begin) + "*", call);
  while (keys.size() < kMostRecords) {
    auto next = scan->next();
    if (!next) break;
    keys.insert(std::move(*next));
  }
  for (const std::string& at : keys) {
    const auto record = read(*values_, at, call);
    if (!record || !is_of(std::string_view{at}.substr(begin.size()), record->text)) continue;
    if (!visit(*record)) return;
  }
}

}  // namespace penstock::bundles
