#include "penstock/store/write_checks.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace penstock::store {
namespace {

constexpr std::size_t kMaxMetadataBytes = 2048;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

WriteChecks::WriteChecks(const WriteOptions& options, std::string location)
    : length_(options.length), expected_(options.expected), location_(std::move(location)) {
  for (const Digest& digest : expected_) {
    running_.emplace_back(digest.algorithm());
    digests_[std::string{to_string(digest.algorithm())}] = digest.hex();
  }
}

void WriteChecks::update(Bytes bytes) {
  bytes_ += bytes.size();
  if (length_ && bytes_ > *length_) {
    fail("it has more bytes than declared", std::to_string(*length_), fmt::format("{} or more", bytes_));
  }
  for (Hasher& hasher : running_) hasher.update(bytes);
}

void WriteChecks::verify() const {
  if (length_ && bytes_ != *length_) {
    fail("it has fewer bytes than declared", std::to_string(*length_), std::to_string(bytes_));
  }
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    Digest actual = running_[i].digest();
    if (!actual.equals(expected_[i])) {
      fail(fmt::format("its {} differs", to_string(actual.algorithm())), expected_[i].hex(), actual.hex());
    }
  }
}

void WriteChecks::fail(std::string what, std::string expected, std::string actual) const {
  std::string message =
      fmt::format("{} was not written: {} (expected {}, got {})", location_, what, expected, actual);
  throw Error{Kind::corrupt,
              std::move(message),
              {.side = Side::sink,
               .doing = "write",
               .subject = location_,
               .bytes_done = bytes_,
               .expected = std::move(expected),
               .actual = std::move(actual)}};
}

void check_metadata(const std::map<std::string, std::string>& metadata, std::string_view location) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : metadata) bytes += name.size() + value.size();
  if (bytes <= kMaxMetadataBytes) return;
  throw Error{Kind::refused,
              fmt::format("{} cannot have {} bytes of metadata: 2,048 is the most", location, bytes),
              {.side = Side::sink,
               .doing = "write",
               .subject = std::string{location},
               .code = std::string{code::kTooLarge}}};
}

ObjectMeta meta_of(const WriteOptions& options, std::string_view key) {
  ObjectMeta meta;
  meta.key = key;
  meta.content_type = options.content_type;
  meta.content_encoding = options.content_encoding;
  meta.content_disposition = options.content_disposition;
  meta.cache_control = options.cache_control;
  for (const auto& [name, value] : options.metadata) meta.metadata[lower(name)] = value;
  return meta;
}

}  // namespace penstock::store
