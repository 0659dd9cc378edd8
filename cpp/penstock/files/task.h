// One file to fetch: from which URL, to which key, and what must hold before it becomes visible.
//
// A task is plain data without credentials, so it travels between processes. Source: spec of the existing
// system, whose names (taskId, downloadUrl, ...) the Python package also reads and writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/units.h"
#include "penstock/http/headers.h"
#include "penstock/store/object.h"
#include "penstock/streams/hash.h"

namespace penstock::files {

inline constexpr std::uint64_t kDefaultMaxBytes = 5_GiB;

struct FileTask {
  std::string task_id, job_id;  // 1..255 printable characters
  std::string url;              // http or https, a host, no userinfo
  std::string file_name;        // metadata only, never a path
  std::string key;
  std::string bucket;  // "": the store's own
  std::optional<std::uint64_t> expected_bytes;
  std::string checksum;            // hex or base64, perhaps "sha256:..."; "": none
  std::string checksum_algorithm;  // may be in `checksum` instead; one without the other is refused
  std::vector<Algorithm> digests;  // to compute besides, for the receipt
  std::uint64_t max_bytes = kDefaultMaxBytes;
  store::Mode mode;
  bool skip_existing = false;  // an object with this task id, size and digest is success
  std::string storage_class, sse, kms_key_id, content_type;
  std::map<std::string, std::string> metadata, tags;
  http::Headers headers;  // values are secret
  std::optional<std::chrono::milliseconds> deadline;
  bool allow_unframed = false;  // accept a body whose cut could not be seen
  bool relay = false;  // parts straight from the origin where it can be read again; the receipt says whether
  bool verify_headers = false;  // also compare Content-MD5, Repr-Digest and x-amz-checksum-* of the origin
  int max_redirects = 10;
  std::string
      malformed;  // what made a record no task, named by whoever read it: refused by that; "": nothing
};

// Checks what a transfer stands on: URL, key, checksum, limits, headers. Throws Error(refused) naming the
// field.
void validate_transfer(const FileTask& task);

// The same, and the identity a job layer needs: task_id, job_id, file_name.
void validate(const FileTask& task);

// The expected digest, parsed; nullopt if none was given.
std::optional<Digest> expected_digest(const FileTask& task);

}  // namespace penstock::files
