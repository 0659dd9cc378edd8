#include "penstock/aws/payload_hash.h"

#include <memory>
#include <stdexcept>
#include <vector>

#include <arpa/inet.h>
#include <openssl/evp.h>

#include "penstock/aws/digest.h"

namespace penstock::aws {

bool is_loopback(const http::Url& url) {
  if (url.host == "localhost" || url.host == "::1") return true;
  in_addr address{};  // a name may begin with "127." too
  return inet_pton(AF_INET, url.host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

std::string payload_without_hashing(const http::Request& request, const http::Url& url,
                                    const SigningOptions& options) {
  using Payload = SigningOptions::Payload;
  const bool made_while_sent = request.body && request.body->stream();
  if (made_while_sent && request.headers.has("x-amz-content-sha256")) return "auto";  // as the header says
  if (options.payload == Payload::is_unsigned || made_while_sent) return "unsigned";
  if (options.payload == Payload::hash || options.service != "s3") return "";
  const bool small = !request.body || request.body->size() <= kSmallBodyBytes;
  return !small && (url.scheme == "https" || is_loopback(url)) ? "unsigned" : "";
}

std::string hash_payload(const http::Payload* payload) {
  if (!payload || payload->size() == 0) return hex_sha256("");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
  std::vector<std::byte> buffer(std::min<std::uint64_t>(payload->size(), 64 * 1024));
  Sha256 digest;
  bool ok = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (std::uint64_t at = 0; ok && at < payload->size();) {
    const auto got = payload->read_at(at, buffer);
    if (got == 0) break;
    ok = EVP_DigestUpdate(context.get(), buffer.data(), got);
    at += got;
  }
  ok = ok && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  if (!ok) throw std::runtime_error("OpenSSL could not compute SHA-256");
  return hex(digest);
}

}  // namespace penstock::aws
