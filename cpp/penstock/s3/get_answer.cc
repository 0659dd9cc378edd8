#include "penstock/s3/get_answer.h"

#include <algorithm>
#include <array>

#include "penstock/http/content_range.h"
#include "penstock/s3/attributes.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {

http::Request get_request(const Client& client, const std::string& full_key,
                          const store::ReadOptions& options) {
  store::ReadOptions asked = options;
  asked.sse_customer_key = client.customer_key(options.sse_customer_key);
  http::Request request = get_object(client.address(), full_key, asked);
  if (!client.verifies_reads()) request.headers.remove("x-amz-checksum-mode");
  return request;
}

void check_range(int status, const http::Headers& headers, const store::Range& asked,
                 const std::string& subject) {
  if (status != 206) throw corrupt(subject, "a range was asked for and the whole came");
  const http::ContentRange got = http::content_range(headers);
  if (headers.get("etag").empty()) throw corrupt(subject, "the answer to a range has no ETag");
  const std::uint64_t first = asked.suffix ? got.total - std::min(*asked.suffix, got.total) : *asked.first;
  const std::uint64_t last = asked.last ? std::min(*asked.last, got.total - 1) : got.total - 1;
  if (got.first == first && got.last == last) return;
  throw corrupt(subject, "another range came than was asked for: " + got.text());
}

std::optional<Digest> stored_checksum(const Client& client, int status, const http::Headers& headers) {
  if (!client.verifies_reads()) return std::nullopt;
  if (status == 206) {
    const http::ContentRange got = http::content_range(headers);
    if (got.size() != got.total) return std::nullopt;
  }
  constexpr std::array kOrder{Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32, Algorithm::sha1,
                              Algorithm::sha256};
  for (const Algorithm algorithm : kOrder) {
    const std::string value = full_checksum(headers, to_string(algorithm));
    if (!value.empty()) return Digest::parse(algorithm, value);
  }
  return std::nullopt;
}

Error corrupt(const std::string& subject, const std::string& why) {
  return Error{
      Kind::corrupt, subject + ": " + why, {.side = Side::source, .doing = "GET", .subject = subject}};
}

Error mismatch(const std::string& subject, const Digest& expected, const Digest& actual) {
  Error error =
      corrupt(subject, "the bytes read do not have the " + std::string{to_string(expected.algorithm())} +
                           " the object was stored with");
  error.facts().expected = expected.hex();
  error.facts().actual = actual.hex();
  return error;
}

}  // namespace penstock::s3
