// Many resources, published once: all become visible together, then those who want to know are told.
//
// Life:     start, add in any number and from any threads, then finish() or abort(). Dying unfinished aborts.
// Threads:  a bundle and a storage are shared freely; a body belongs to the add it is given to.
// Memory:   a pipe and part buffers for each add under way, some 16 bytes a resource; the manifest on disk.
// Failure:  an add that throws leaves nothing of itself but a line in the manifest, and the bundle goes on.
//           After finish() threw, finish() again does what is outstanding and nothing twice.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/streams/source.h"

namespace penstock::bundles {

using Json = nlohmann::ordered_json;  // of metadata: its order is kept

// The codes this room gives besides those in base/error.h.
namespace code {
inline constexpr std::string_view kNotFound = "bundle_not_found";        // refused: not open any more
inline constexpr std::string_view kAlreadyOpen = "bundle_already_open";  // conflict
inline constexpr std::string_view kAlreadyCompleted = "bundle_already_completed";  // conflict
inline constexpr std::string_view kIncomplete = "bundle_incomplete";  // refused by Options::strict
}  // namespace code

// What a resource was before a decorator unpacked it.
struct DerivedFrom {
  std::string url{};
  std::optional<std::uint64_t> bytes{};  // if that is known
  std::string codec{};                   // "gzip", "tar", "tar.gz", "zip"
};

struct Resource {
  std::string url{};
  std::optional<std::string> content_type{};
  int status_code = 200;
  std::optional<DerivedFrom> derived_from{};
  bool mismatch = false;  // it said it was compressed, and is not
};

struct StoredResource {
  std::string name{};      // within the bundle
  std::string location{};  // the path, or the key in the bucket
  std::uint64_t bytes = 0;
  std::string sha256{};
  std::optional<std::uint64_t> members{};  // of a resource that holds others: how many
};

struct BundleRef {
  std::string primary_url{};
  std::int64_t resources_count = 0;          // what the caller expects
  std::string bid{};                         // bid.h makes one
  std::optional<std::string> storage_key{};  // unset: the folder's path or the prefix, once started
  Json meta = Json::object();
};

// Told once a bundle is visible, one after the other; what it throws is logged (Options::callback_errors).
using OnComplete = std::function<void(const BundleRef&)>;

struct Recipe {
  std::string id = "default";
  std::vector<OnComplete> on_complete{};
};

struct BundleReceipt {
  std::string bid{}, storage_key{};
  std::string location{};  // of what readers trust: bundle.meta, or the marker
  std::uint64_t resources_stored = 0, resources_failed = 0;
  std::uint64_t bytes = 0;
  std::string manifest_sha256{};
  std::string completed_at{};  // "2026-01-15T10:30:00.123456Z"
};

//  open <-> adding -> completing -> completed | failed;  failed -> completing
//  open, adding, failed before the commit -> abandoned
enum class State { open, adding, completing, completed, failed, abandoned };
std::string_view to_string(State state);

class Manifest;

// Resources that are kept all or none: the members of one archive. Dying without keep() withdraws them.
//
// Life:    dies before its bundle. It counts as an add under way until then, kept or not: finish() waits.
// Threads: one caller at a time.
class Group {
 public:
  virtual ~Group() = default;
  virtual StoredResource add(const Resource& resource, Source& body, const Call& call = {}) = 0;
  // What the add of that number stored, of those that did and from 0, is no part of the group after all: a
  // line in the manifest says why. Takes effect with keep().
  virtual void withdraw(std::uint64_t number, std::string_view why) = 0;
  // A line in the manifest for what is not stored, and why: a link in an archive.
  virtual void skip(const Resource& resource, std::string_view why) = 0;
  // A line in the manifest for what failed, with the kind of its error: the archive itself. Of a group that
  // is withdrawn the last such line stays, that of a failed add or this one.
  virtual void fail(const Resource& resource, std::string_view kind) = 0;
  virtual void keep() = 0;
};

class Bundle {
 public:
  virtual ~Bundle() = default;

  // All of `body`, under a name made of the URL. Throws Error(refused, bundle_not_found) unless the bundle is
  // open, and what the body and the storage throw.
  virtual StoredResource add(const Resource& resource, Source& body, const Call& call = {}) = 0;
  virtual std::unique_ptr<Group> open_group() = 0;
  // A resource that holds others: a zip. Once `body` has ended, `members` has their lines (line_of_member),
  // which stand in the manifest behind its own and are counted instead of it.
  virtual StoredResource add_container(const Resource& resource, Source& body, const Manifest& members,
                                       const Call& call = {}) = 0;

  // Refuses new adds, waits for those under way, makes all visible at once, calls back, tells the queue. Of
  // several at once one does it and all have its outcome; after that it has no effect. Throws what the step
  // throws that failed: also after the bundle is visible, then only telling is outstanding.
  virtual BundleReceipt finish(const Json& metadata, const Call& call = {}) = 0;

  // Stops the adds under way; nothing becomes visible. No effect once the bundle is committed.
  virtual void abort(std::string_view why) noexcept = 0;
  virtual State state() const = 0;
};

struct RecoveryReport {
  std::uint64_t recovered = 0;  // told again, their records removed
  std::uint64_t discarded = 0;  // records of bundles that never became visible
  std::uint64_t left = 0;       // perhaps still under way elsewhere
  std::uint64_t malformed = 0;  // records that cannot be read; they stay
  std::uint64_t failed = 0;     // telling failed; their records stay
  std::uint64_t swept = 0;      // bundles of dead processes moved away or removed
  bool out_of_time = false;     // the deadline passed before all were looked at
};

struct SweepOptions {
  bool remove = false;  // on S3 also finished objects of bundles that never completed
};

class BundleStorage {
 public:
  virtual ~BundleStorage() = default;

  // Throws Error(conflict) if a bundle of that BID is under way or completed.
  virtual std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe& recipe, const Call& call = {}) = 0;

  // What dead processes left: their unfinished bundles are moved away, and for those that became visible and
  // were not told of, callbacks and message are made up. Bundles of this recipe only.
  virtual RecoveryReport recover(const Recipe& recipe, const Call& call = {}) = 0;

  // What dead processes left, of all recipes; how many bundles it moved away or removed. In an object store,
  // whose uploads are written down by recipe and aborted by recover(), nothing unless `remove`.
  virtual std::uint64_t sweep(const SweepOptions& options = {}, const Call& call = {}) = 0;
};

}  // namespace penstock::bundles
