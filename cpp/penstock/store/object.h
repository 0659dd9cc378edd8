// What a store knows of an object, and what is said when one is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/streams/hash.h"

namespace penstock::store {

struct ObjectMeta {
  std::string key;  // as the caller names it: without the store's prefix
  std::uint64_t bytes = 0;
  std::string etag;  // opaque, quotes kept; the validator for if_match
  std::string version_id;
  std::optional<WallTime> last_modified;
  std::string content_type, content_encoding, content_disposition, cache_control, storage_class;
  std::map<std::string, std::string> metadata;  // user metadata, names lower-case
  std::map<std::string, std::string> digests;   // full-object only: algorithm name -> hex
  bool is_prefix = false;  // of a listing by delimiter: no object, but all keys that begin so
};

// overwrite: whatever was there. create: Error(conflict) if something is. if_match: Error(conflict) unless
// the object there has exactly this ETag.
struct Mode {
  enum class Kind { overwrite, create, if_match };
  Kind kind = Kind::overwrite;
  std::string etag;
  static Mode overwrite() { return {}; }
  static Mode create() { return {Kind::create, {}}; }
  static Mode if_match(std::string etag) { return {Kind::if_match, std::move(etag)}; }
};

// A backing that has no notion of an attribute (a folder has no storage class) ignores it, except mode,
// length and expected, which every backing honours.
struct WriteOptions {
  Mode mode{};
  std::optional<std::uint64_t> length{};  // exact; another number of bytes is Error(corrupt), nothing visible
  std::optional<std::uint64_t> length_hint{};  // a guess, for part sizes
  std::vector<Digest> expected{};              // compared before anything is visible: Error(corrupt)
  std::string content_type{}, content_encoding{}, content_disposition{}, cache_control{};
  std::map<std::string, std::string> metadata{};
  std::map<std::string, std::string> tags{};
  std::string storage_class{}, sse{}, kms_key_id{};
  // S3 only.
  std::string sse_customer_key{};  // 32 bytes: SSE-C; every read needs it again
  std::string checksum{};  // "": as the store has it; auto, none, or an algorithm, which is never left out
  std::optional<bool>
      reap{};  // abort orphans a lost answer to Create may have left; unset: as the store has it
  std::optional<std::uint64_t> part_bytes{};
  std::optional<int> max_parts_in_flight{};
  // Parts straight from the source, none held: where the length is known and the source repeats exactly. Else
  // buffered, and Receipt::mode_reason says why.
  bool relay = false;
  // For pages of a large part without room in the Budget, as Config has it; unset: as it has it.
  std::optional<std::optional<std::string>> spool_dir{};
  std::optional<bool> token{};  // write the publish token that settles a lost answer; default true
  // Of a copy: what is read. Another version of it than from_if_match is Error(conflict).
  std::string from_version{}, from_if_match{}, from_sse_customer_key{};
  // Called before anything unfinished can be left at the far end: before a multipart upload begins.
  std::function<void()> before_upload{};
};

// [first, last] both included, as HTTP has it; last absent: to the end; suffix: the last n bytes.
struct Range {
  std::optional<std::uint64_t> first{}, last{}, suffix{};
};

struct ReadOptions {
  std::optional<Range> range{};
  std::string if_match{};
  std::string version_id{};
  std::string sse_customer_key{};  // S3 only: the one it was written with
};

struct FileOptions {
  std::string if_match{};
  std::string version_id{};
  std::string sse_customer_key{};
  bool create = false;  // Error(conflict) if a file is there already
  int lanes = 4;        // ranges under way at once, where the far end is a server
};

struct ListOptions {
  std::string start_after{};  // entries behind it, in the order of their bytes; of a level its prefixes too
};

struct RemoveOptions {
  std::string if_match{};
};

struct RemoveReport {
  std::uint64_t removed = 0;
  std::map<std::string, Error> errors{};  // by key
};

}  // namespace penstock::store
