#include "penstock/bundles/pending_log.h"

#include <array>
#include <chrono>
#include <utility>

#include "penstock/base/units.h"
#include "penstock/bundles/names.h"

namespace penstock::bundles {
namespace {

constexpr std::uint64_t kMaxRecordBytes = 16_MiB;
constexpr std::chrono::hours kKeptFor{30 * 24};
constexpr std::size_t kAtOnce = 16;

// nullopt: gone meanwhile.
std::optional<std::string> read_all(store::ObjectStore& store, const std::string& key, const Call& call) {
  try {
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
  } catch (const Error& error) {
    if (error.kind() == Kind::missing) return std::nullopt;
    throw;
  }
}

}  // namespace

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

void StorePendingLog::remove(std::string_view recipe_id, std::string_view bid, const Call& call) {
  store_->remove(key(recipe_id, bid), {}, call);
}

void StorePendingLog::each(std::string_view recipe_id, const std::function<void(const std::string&)>& visit,
                           const Call& call) {
  const auto listing = store_->list(folder(recipe_id), {}, call);
  while (const auto object = listing->next())
    if (const auto record = read_all(*store_, object->key, call)) visit(*record);
}

std::string KvPendingLog::key(std::string_view recipe_id, std::string_view bid) const {
  return begin_ + std::string{recipe_id} + ":" + std::string{bid};
}

void KvPendingLog::put(std::string_view recipe_id, std::string_view bid, const std::string& record,
                       const Call& call) {
  values_->put(key(recipe_id, bid), record, kKeptFor, call);
}

void KvPendingLog::remove(std::string_view recipe_id, std::string_view bid, const Call& call) {
  values_->remove(key(recipe_id, bid), call);
}

// A page of entries at a time, so that many records take no more memory than few.
void KvPendingLog::each(std::string_view recipe_id, const std::function<void(const std::string&)>& visit,
                        const Call& call) {
  std::string from = key(recipe_id, "");
  std::string end = from;
  end.back() = static_cast<char>(end.back() + 1);  // behind all that begin so
  for (;;) {
    const auto entries = values_->range(from, {.end = end, .limit = kAtOnce}, call);
    for (const kv::Entry& entry : entries) visit(entry.value);
    if (entries.size() < kAtOnce) return;
    from = entries.back().key + '\0';
  }
}

}  // namespace penstock::bundles
