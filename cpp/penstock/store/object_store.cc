#include "penstock/store/object_store.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/redact.h"
#include "penstock/base/utf8.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/stages.h"

namespace penstock::store {
namespace {

constexpr std::size_t kMaxKeyBytes = 1024;

[[noreturn]] void refuse_key(std::string_view key, std::string_view why) {
  std::string shown = redact_text(key, 128);
  throw Error{Kind::refused,
              fmt::format("cannot use the key \"{}\": {}", shown, why),
              {.doing = "check key", .subject = shown, .code = "key"}};
}

WriteOptions with_attributes_of(const ObjectMeta& meta, WriteOptions options) {
  options.content_type = meta.content_type;
  options.content_encoding = meta.content_encoding;
  options.content_disposition = meta.content_disposition;
  options.cache_control = meta.cache_control;
  options.metadata = meta.metadata;
  return options;
}

}  // namespace

void check_key(std::string_view key) {
  if (key.empty()) refuse_key(key, "it is empty");
  if (key.size() > kMaxKeyBytes) refuse_key(key, "it is longer than 1,024 bytes");
  if (key.find('\0') != key.npos) refuse_key(key, "it holds a NUL byte");
  if (!is_utf8(key)) refuse_key(key, "it is not UTF-8");
}

ObjectMeta ObjectStore::head(std::string_view key, const Call& call) {
  if (auto found = find(key, call)) return *std::move(found);
  throw Error{Kind::missing,
              fmt::format("nothing is at {}", location(key)),
              {.doing = "head", .subject = location(key)}};
}

Receipt ObjectStore::put(std::string_view key, Source& source, const WriteOptions& options,
                         const Call& call) {
  const auto total = source.remaining();
  Meter metered{source, call.progress};
  Count counted{metered};
  const auto tell = [&](TransferState state) {
    if (call.progress)
      call.progress->report({.state = state, .bytes_done = counted.bytes(), .bytes_total = total});
  };
  try {
    auto writer = open_writer(key, options, call);
    writer->write_from(counted);
    tell(TransferState::publishing);
    Receipt receipt = writer->finish();
    tell(TransferState::completed);
    if (options.relay && receipt.mode_reason.empty()) receipt.mode_reason = kNothingToRelay;
    return receipt;
  } catch (const Error& error) {
    tell(error.kind() == Kind::cancelled ? TransferState::cancelled : TransferState::failed);
    throw;
  }
}

Receipt ObjectStore::put(std::string_view key, Bytes bytes, const WriteOptions& options, const Call& call) {
  MemorySource source{bytes};
  return put(key, source, options, call);
}

bool ObjectStore::relays(const WriteOptions&, const Call&) {
  return false;
}

RemoveReport ObjectStore::remove_many(std::span<const std::string> keys, const Call& call) {
  RemoveReport report;
  for (const std::string& key : keys) {
    try {
      remove(key, {}, call);
      ++report.removed;
    } catch (const Error& error) {
      if (error.kind() == Kind::cancelled) throw;
      report.errors.emplace(key, error);
    }
  }
  return report;
}

Receipt ObjectStore::copy(std::string_view from, std::string_view to, const WriteOptions& options,
                          const Call& call) {
  auto source = get(from, {}, call);
  WriteOptions writing = with_attributes_of(source->meta(), options);
  writing.length = source->meta().bytes;
  return put(to, *source, writing, call);
}

Receipt ObjectStore::move(std::string_view from, std::string_view to, const WriteOptions& options,
                          const Call& call) {
  if (from == to) refuse_key(from, "it cannot be moved onto itself");
  ObjectMeta source = head(from, call);
  Receipt receipt = copy(from, to, options, call);
  if (ObjectMeta there = head(to, call); there.bytes != source.bytes) {
    throw Error{Kind::corrupt,
                fmt::format("{} has {} bytes after the copy, not {}; both stay", location(to), there.bytes,
                            source.bytes),
                {.doing = "move",
                 .subject = location(to),
                 .expected = std::to_string(source.bytes),
                 .actual = std::to_string(there.bytes)}};
  }
  try {
    remove(from, {.if_match = source.etag}, call);
  } catch (const Error& error) {
    Facts facts = error.facts();
    facts.cause = std::make_shared<Error>(error);
    throw Error{error.kind(),
                fmt::format("{} was copied to {} but not removed, so both are there: {}", location(from),
                            location(to), error.message()),
                std::move(facts)};
  }
  return receipt;
}

std::uint64_t ObjectStore::abort_uploads(std::string_view, const Call&) {
  return 0;
}

std::uint64_t ObjectStore::abort_uploads_of(std::string_view, const Call&) {
  return 0;
}

std::shared_ptr<ObjectStore> ObjectStore::with_bucket(std::string_view bucket) {
  throw Error{Kind::refused,
              fmt::format("this store has no buckets, so \"{}\" cannot be used", bucket),
              {.doing = "with_bucket", .subject = std::string{bucket}}};
}

}  // namespace penstock::store
