// The one seam under files, bundles, delta and sync: named objects that appear whole or not at all.
//
// Threads:  a store is shared freely; what it opens belongs to one thread at a time.
// Keys:     1..1,024 bytes of UTF-8 without NUL; a backing refuses what it cannot keep (a folder: "..").
// Failure:  absence is Error(missing) from head, get; nullopt from find; success from remove.
// One contract suite runs on every backing (tests/cpp/store/contract.h, penstock.testing).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/store/object.h"
#include "penstock/streams/sink.h"
#include "penstock/streams/source.h"
#include "penstock/streams/told_transfer.h"

namespace penstock::store {

// An object being read. meta() is of the version being read; its bytes is the whole object's, also for a
// range.
class ObjectSource : public Source {
 public:
  virtual const ObjectMeta& meta() const = 0;
};

// A lazy listing in ascending order of the keys' bytes.
class Listing {
 public:
  virtual ~Listing() = default;
  virtual std::optional<ObjectMeta> next() = 0;  // nullopt: the end
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  virtual ObjectMeta head(std::string_view key, const Call& call = {});  // find, or Error(missing)
  virtual std::optional<ObjectMeta> find(std::string_view key, const Call& call = {}) = 0;
  bool exists(std::string_view key, const Call& call = {}) { return find(key, call).has_value(); }

  virtual std::unique_ptr<ObjectSource> get(std::string_view key, const ReadOptions& options = {},
                                            const Call& call = {}) = 0;

  // The object as a file at `path`, whose folder must exist: hidden until it is whole and on the disk.
  // Receipt::location is the file's, the ETag the object's.
  Receipt get_file(std::string_view key, const std::string& path, const FileOptions& options = {},
                   const Call& call = {});

  // Nothing is visible under `key` until the writer's finish() returns. A write() that throws ends the
  // writer.
  virtual std::unique_ptr<Sink> open_writer(std::string_view key, const WriteOptions& options = {},
                                            const Call& call = {}) = 0;
  // By default open_writer, write_from, finish. Tells call.progress how far the bytes are; a writer of
  // open_writer does not, its owner knows.
  virtual Receipt put(std::string_view key, Source& source, const WriteOptions& options = {},
                      const Call& call = {});
  virtual Receipt put(std::string_view key, Bytes bytes, const WriteOptions& options = {},
                      const Call& call = {});

  virtual std::unique_ptr<Listing> list(std::string_view prefix = {}, const ListOptions& options = {},
                                        const Call& call = {}) = 0;
  // One level of it: of the keys in which `delimiter` follows after `prefix` only their beginning up to it,
  // once, as an entry with is_prefix; in order with the others. By default made out of list().
  virtual std::unique_ptr<Listing> list_with_delimiter(std::string_view prefix, std::string_view delimiter,
                                                       const ListOptions& options = {},
                                                       const Call& call = {});
  virtual void remove(std::string_view key, const RemoveOptions& options = {}, const Call& call = {}) = 0;
  // By default one remove() a key. Errors of single keys are in the report.
  virtual RemoveReport remove_many(std::span<const std::string> keys, const Call& call = {});

  // The destination is written under `options.mode` with the source's attributes where `options` names none.
  Receipt copy(std::string_view from, std::string_view to, const WriteOptions& options = {},
               const Call& call = {}) {
    return copy_from(*this, from, to, options, call);
  }
  // The same out of another store. By default the bytes stream through.
  virtual Receipt copy_from(ObjectStore& source, std::string_view from, std::string_view to,
                            const WriteOptions& options = {}, const Call& call = {});
  // copy, check, then remove with if_match. If the remove fails both stay, and the error says so. A source
  // that changes meanwhile is Error(conflict) and stays.
  virtual Receipt move(std::string_view from, std::string_view to, const WriteOptions& options = {},
                       const Call& call = {});

  // Gives up what unfinished writers left at the far end under keys that begin so, whoever began it; how
  // many. By default nothing is ever left.
  virtual std::uint64_t abort_uploads(std::string_view prefix, const Call& call = {});

  // The same client and credentials on another bucket. By default Error(refused).
  virtual std::shared_ptr<ObjectStore> with_bucket(std::string_view bucket);

  // Where `key` is, for people and receipts: s3://bucket/key, file:///path, memory:key.
  virtual std::string location(std::string_view key) const = 0;
  // The same as receipts say it: bucket, "" where there is none, and the whole key, prefix included.
  virtual std::pair<std::string, std::string> place(std::string_view key) const {
    return {"", std::string{key}};
  }

  // As abort_uploads(), of one key alone and not of longer ones.
  virtual std::uint64_t abort_uploads_of(std::string_view key, const Call& call = {});

  // Waits until nothing that was given up is still at work here: a write that was cancelled while it was
  // published, an upload that is aborted. Error(lost, deadline) past the call's deadline. By default at once.
  virtual void drain(const Call& call = {});

  // Whether a write with these options would be relayed from a source that repeats exactly.
  virtual bool relays(const WriteOptions& options, const Call& call = {});

 protected:
  // get_file() but for telling how it ends; by default by one get(). Tells `told`, not call.progress.
  virtual Receipt download(std::string_view key, const std::string& path, const FileOptions& options,
                           const Call& call, ToldTransfer& told);
  // put() of a source, likewise; by default by one open_writer().
  virtual Receipt upload(std::string_view key, Source& source, const WriteOptions& options, const Call& call,
                         ToldTransfer& told);
};

// By head(), or where that cannot say which object is meant or may not see it, by opening it: of a version,
// or with a customer's key.
ObjectMeta meta_of(ObjectStore& store, std::string_view key, const ReadOptions& which, const Call& call);

// Receipt::mode_reason where a store that keeps no parts was asked to relay.
inline constexpr std::string_view kNothingToRelay = "the store has no parts";

// 1..1,024 bytes of valid UTF-8 without NUL, else Error(refused).
void check_key(std::string_view key);

}  // namespace penstock::store
