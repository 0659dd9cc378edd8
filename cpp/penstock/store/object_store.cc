#include "penstock/store/object_store.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/redact.h"
#include "penstock/base/utf8.h"
#include "penstock/disk/file_sink.h"
#include "penstock/store/level_listing.h"
#include "penstock/store/nothing_at.h"
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
  const auto inherit = [](auto& named, const auto& theirs) {
    if (named.empty()) named = theirs;
  };
  inherit(options.content_type, meta.content_type);
  inherit(options.content_encoding, meta.content_encoding);
  inherit(options.content_disposition, meta.content_disposition);
  inherit(options.cache_control, meta.cache_control);
  inherit(options.metadata, meta.metadata);
  return options;
}

// What tells the copy from the source, "" if nothing does: their sizes, or a digest that both have.
std::pair<std::string, std::string> difference(const ObjectMeta& source, const ObjectMeta& copy) {
  if (source.bytes != copy.bytes) {
    return {fmt::format("{} bytes", source.bytes), fmt::format("{} bytes", copy.bytes)};
  }
  for (const auto& [algorithm, digest] : source.digests) {
    const auto found = copy.digests.find(algorithm);
    if (found != copy.digests.end() && found->second != digest) {
      return {algorithm + " " + digest, algorithm + " " + found->second};
    }
  }
  return {};
}

}  // namespace

void check_key(std::string_view key) {
  if (key.empty()) refuse_key(key, "it is empty");
  if (key.size() > kMaxKeyBytes) refuse_key(key, "it is longer than 1,024 bytes");
  if (key.find('\0') != key.npos) refuse_key(key, "it holds a NUL byte");
  if (!is_utf8(key)) refuse_key(key, "it is not UTF-8");
}

ObjectMeta meta_of(ObjectStore& store, std::string_view key, const ReadOptions& which, const Call& call) {
  if (which.version_id.empty() && which.sse_customer_key.empty()) return store.head(key, call);
  return store.get(key, which, call)->meta();
}

ObjectMeta ObjectStore::head(std::string_view key, const Call& call) {
  if (auto found = find(key, call)) return *std::move(found);
  throw nothing_at(location(key), "head");
}

Receipt ObjectStore::get_file(std::string_view key, const std::string& path, const FileOptions& options,
                              const Call& call) {
  ToldTransfer told{call.progress};
  return told.run([&] { return download(key, path, options, call, told); });
}

Receipt ObjectStore::download(std::string_view key, const std::string& path, const FileOptions& options,
                              const Call& call, ToldTransfer& told) {
  const auto object = get(key,
                          {.if_match = options.if_match,
                           .version_id = options.version_id,
                           .sse_customer_key = options.sse_customer_key},
                          call);
  const ObjectMeta& meta = object->meta();
  const auto existing = options.create ? disk::Existing::refuse : disk::Existing::replace;
  disk::FileSink file{path, existing, call};
  Meter metered{*object, told.for_call()};
  if (const std::uint64_t bytes = file.write_from(metered); bytes != meta.bytes) {
    throw Error{Kind::corrupt,
                fmt::format("{} has {} bytes and {} came", location(key), meta.bytes, bytes),
                {.side = Side::source,
                 .doing = "get file",
                 .subject = location(key),
                 .expected = std::to_string(meta.bytes),
                 .actual = std::to_string(bytes)}};
  }
  told.enter(TransferState::publishing);
  Receipt receipt = file.finish();
  receipt.etag = meta.etag;
  receipt.version_id = meta.version_id;
  receipt.content_type = meta.content_type;
  receipt.digests = meta.digests;
  return receipt;
}

Receipt ObjectStore::put(std::string_view key, Source& source, const WriteOptions& options,
                         const Call& call) {
  ToldTransfer told{call.progress, source.remaining()};
  return told.run([&] { return upload(key, source, options, call, told); });
}

Receipt ObjectStore::upload(std::string_view key, Source& source, const WriteOptions& options,
                            const Call& call, ToldTransfer& told) {
  Meter metered{source, told.for_call()};
  auto writer = open_writer(key, options, call);
  writer->write_from(metered);
  told.enter(TransferState::publishing);
  Receipt receipt = writer->finish();
  if (options.relay && receipt.mode_reason.empty()) receipt.mode_reason = kNothingToRelay;
  return receipt;
}

Receipt ObjectStore::put(std::string_view key, Bytes bytes, const WriteOptions& options, const Call& call) {
  MemorySource source{bytes};
  return put(key, source, options, call);
}

std::unique_ptr<Listing> ObjectStore::list_with_delimiter(std::string_view prefix, std::string_view delimiter,
                                                          const ListOptions& options, const Call& call) {
  return std::make_unique<LevelListing>(*this, prefix, delimiter, options, call);
}

void ObjectStore::drain(const Call&) {}

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

Receipt ObjectStore::copy_from(ObjectStore& source, std::string_view from, std::string_view to,
                               const WriteOptions& options, const Call& call) {
  check_key(to);
  auto object = source.get(from,
                           {.if_match = options.from_if_match,
                            .version_id = options.from_version,
                            .sse_customer_key = options.from_sse_customer_key},
                           call);
  WriteOptions writing = with_attributes_of(object->meta(), options);
  if (!writing.length) writing.length = object->meta().bytes;
  return put(to, *object, writing, call);
}

Receipt ObjectStore::move(std::string_view from, std::string_view to, const WriteOptions& options,
                          const Call& call) {
  if (from == to) refuse_key(from, "it cannot be moved onto itself");
  const ObjectMeta source = meta_of(*this, from, {.sse_customer_key = options.from_sse_customer_key}, call);
  WriteOptions copying = options;
  if (copying.from_if_match.empty()) copying.from_if_match = source.etag;
  Receipt receipt = copy(from, to, copying, call);
  try {
    const ObjectMeta copied = meta_of(*this, to, {.sse_customer_key = options.sse_customer_key}, call);
    if (const auto [expected, actual] = difference(source, copied); expected != actual) {
      throw Error{Kind::corrupt,
                  fmt::format("{} has {} after the copy, not {}", location(to), actual, expected),
                  {.doing = "move", .subject = location(to), .expected = expected, .actual = actual}};
    }
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
