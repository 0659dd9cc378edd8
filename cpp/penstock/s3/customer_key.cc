#include "penstock/s3/customer_key.h"

#include <optional>

#include "penstock/base/base64.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr const char* kAlgorithm = "x-amz-server-side-encryption-customer-algorithm";
constexpr const char* kOfObject = "x-amz-server-side-encryption-customer-";
constexpr const char* kOfSource = "x-amz-copy-source-server-side-encryption-customer-";

}  // namespace

http::Headers customer_key_headers(std::string_view key, KeyOf whose) {
  if (key.empty()) return {};
  if (key.size() != kKeyBytes) {
    throw Error{Kind::refused,
                "sse_customer_key must be 32 bytes (AES-256), not " + std::to_string(key.size())};
  }
  Hasher md5{Algorithm::md5};
  md5.update(as_bytes(key));
  const std::string prefix = whose == KeyOf::object ? kOfObject : kOfSource;
  return {{prefix + "algorithm", "AES256"},
          {prefix + "key", encode_base64(key)},
          {prefix + "key-md5", md5.digest().base64()}};
}

bool carries_customer_key(const http::Headers& headers) {
  return headers.has(std::string{kOfObject} + "key");
}

void add_headers(http::Headers& headers, const http::Headers& more) {
  for (const auto& [name, value] : more) headers.add(name, value);
}

void mark_customer_keys(http::Request& request) {
  for (const char* prefix : {kOfObject, kOfSource}) {
    const std::string name = std::string{prefix} + "key";
    if (!request.headers.has(name)) continue;
    request.secret_headers.push_back(name);
    request.secret_headers.push_back(name + "-md5");
  }
}

std::optional<Error> not_encrypted(const http::Headers& asked, const http::Headers& answer) {
  if (!asked.has(kAlgorithm) || answer.has(kAlgorithm)) return std::nullopt;
  return Error{
      Kind::refused,
      "the server took the object and ignored sse_customer_key, so it would not be encrypted; nothing "
      "of it stays there",
      {.side = Side::sink, .code = "not_encrypted"}};
}

}  // namespace penstock::s3
