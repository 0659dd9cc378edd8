// What every writer compares before anything is visible: the declared length and the expected digests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/store/object.h"
#include "penstock/streams/hash.h"

namespace penstock::store {

class WriteChecks {
 public:
  WriteChecks(const WriteOptions& options, std::string location);

  // Error(corrupt) as soon as there are more bytes than options.length.
  void update(Bytes bytes);
  // Error(corrupt) if bytes are missing or a digest differs.
  void verify() const;

  std::uint64_t bytes() const { return bytes_; }
  const std::map<std::string, std::string>& digests() const {
    return digests_;
  }  // of `expected`: name -> hex

 private:
  [[noreturn]] void fail(std::string what, std::string expected, std::string actual) const;

  std::optional<std::uint64_t> length_;
  std::vector<Digest> expected_;
  std::vector<Hasher> running_;
  std::map<std::string, std::string> digests_;
  std::string location_;
  std::uint64_t bytes_ = 0;
};

// Error(refused, code too_large) over 2 KiB of names and values, which is what S3 takes.
void check_metadata(const std::map<std::string, std::string>& metadata, std::string_view location);

// The attributes of `options` as a reader will see them: names of metadata in lower case.
ObjectMeta meta_of(const WriteOptions& options, std::string_view key);

}  // namespace penstock::store
