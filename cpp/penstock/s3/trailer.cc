#include "penstock/s3/trailer.h"

#include <algorithm>

#include <fmt/format.h>

namespace penstock::s3 {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string chunk_head(std::uint64_t bytes) {
  return fmt::format("{:x}{}", bytes, kLineEnd);
}

std::uint64_t framed(std::uint64_t bytes) {
  return bytes == 0 ? 0 : chunk_head(bytes).size() + bytes + kLineEnd.size();
}

}  // namespace

std::string PartTrailer::name() const {
  return "x-amz-checksum-" + std::string{to_string(algorithm_)};
}

std::uint64_t PartTrailer::framed_bytes() const {
  const std::uint64_t value = (digest_bytes(algorithm_) + 2) / 3 * 4;
  const std::uint64_t trailer = name().size() + 1 + value + 2 * kLineEnd.size();
  return bytes_ / kChunkBytes * framed(kChunkBytes) + framed(bytes_ % kChunkBytes) + chunk_head(0).size() +
         trailer;
}

http::Headers PartTrailer::headers() const {
  http::Headers headers;
  headers.add("Content-Encoding", "aws-chunked");
  headers.add("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  headers.add("x-amz-decoded-content-length", std::to_string(bytes_));
  headers.add("x-amz-trailer", name());
  return headers;
}

std::uint64_t PartTrailer::left_in_chunk(std::uint64_t at) const {
  return std::min(kChunkBytes - at % kChunkBytes, bytes_ - at);
}

std::string PartTrailer::before(std::uint64_t at) const {
  return at % kChunkBytes == 0 ? chunk_head(left_in_chunk(at)) : std::string{};
}

std::string PartTrailer::after(std::uint64_t at) const {
  return at % kChunkBytes == 0 || at == bytes_ ? std::string{kLineEnd} : std::string{};
}

std::string PartTrailer::end(const Digest& checksum) {
  const std::lock_guard lock{mutex_};
  checksum_ = checksum;
  return fmt::format("{}{}:{}{}{}", chunk_head(0), name(), checksum.base64(), kLineEnd, kLineEnd);
}

std::string PartTrailer::checksum() const {
  const std::lock_guard lock{mutex_};
  return checksum_ ? checksum_->base64() : std::string{};
}

}  // namespace penstock::s3
