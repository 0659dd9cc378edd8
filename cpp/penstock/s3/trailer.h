// aws-chunked framing with a trailer: a part whose checksum is known after its last byte carries it there.
//
// Source: Amazon S3, "Signature calculations: transferring payload in multiple chunks, unsigned, with
// trailers".
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "penstock/base/units.h"
#include "penstock/http/headers.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {

// Threads: who makes the body calls before(), after() and end(); the others are for any.
class PartTrailer {
 public:
  static constexpr std::uint64_t kChunkBytes = 64_KiB;

  PartTrailer(Algorithm algorithm, std::uint64_t bytes) : algorithm_(algorithm), bytes_(bytes) {}

  Algorithm algorithm() const { return algorithm_; }
  std::uint64_t bytes() const { return bytes_; }  // of the part
  std::uint64_t framed_bytes() const;             // of the request's body
  http::Headers headers() const;

  std::string before(std::uint64_t at) const;  // what goes before the part's byte `at`; "" inside a chunk
  std::uint64_t left_in_chunk(std::uint64_t at) const;
  std::string after(std::uint64_t at) const;  // what goes after the bytes up to `at`; "" inside a chunk
  std::string end(const Digest& checksum);    // the last chunk and the trailer

  std::string checksum() const;  // base64; "" before end()

 private:
  std::string name() const;
  Algorithm algorithm_;
  std::uint64_t bytes_;
  mutable std::mutex mutex_;
  std::optional<Digest> checksum_;
};

}  // namespace penstock::s3
