// What finish() hands back: what is now visible, where, and what it cost.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace penstock {

struct Receipt {
  std::uint64_t bytes = 0;
  std::string key{};       // in a store: the real one, prefix included
  std::string bucket{};    // S3 only
  std::string location{};  // s3://bucket/key, file:///path, memory:key
  std::string etag{};      // opaque, quotes kept
  std::string version_id{};
  std::string content_type{};
  std::map<std::string, std::string> digests{};  // algorithm name (streams/hash.h) -> lower-case hex
  double seconds = 0;
  int attempts = 1;    // of the publishing request
  int resumes = 0;     // of the source
  int restarts = 0;    // of the whole pipeline
  std::string mode{};  // "put", "multipart", "relay", "folder", "memory"
  std::string mode_reason{};
};

}  // namespace penstock
