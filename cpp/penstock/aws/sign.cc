#include "penstock/aws/sign.h"

#include <fmt/format.h>

#include "penstock/aws/canonical.h"
#include "penstock/aws/dates.h"
#include "penstock/aws/digest.h"
#include "penstock/base/redact.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
constexpr std::string_view kContentHash = "X-Amz-Content-SHA256";
constexpr std::string_view kToken = "X-Amz-Security-Token";
// S3 refuses a longer life.
constexpr std::chrono::seconds kMaxExpires{604'800};

Error refused(std::string message, const SignInput& input) {
  return Error{Kind::refused, std::move(message), {.doing = "sign", .subject = redact_url(input.url)}};
}

bool is_s3(const SignInput& input) {
  return input.service == "s3";
}

// The parts of one signature that share a clock reading and a scope.
struct Scope {
  std::string timestamp;  // 20150830T123600Z
  std::string text;       // 20150830/us-east-1/s3/aws4_request
};

Scope scope_of(const SignInput& input) {
  auto timestamp = amz_date(input.now);
  auto text = fmt::format("{}/{}/{}/aws4_request", timestamp.substr(0, 8), input.region, input.service);
  return {std::move(timestamp), std::move(text)};
}

std::string signature_of(const SignInput& input, const Scope& scope, const std::string& secret,
                         std::string_view string_to_sign) {
  const auto date = hmac_sha256("AWS4" + secret, std::string_view{scope.timestamp}.substr(0, 8));
  const auto region = hmac_sha256(as_text(date), input.region);
  const auto service = hmac_sha256(as_text(region), input.service);
  const auto key = hmac_sha256(as_text(service), "aws4_request");
  return hex(hmac_sha256(as_text(key), string_to_sign));
}

void need_keys(const SignInput& input, const Credentials& credentials) {
  if (!credentials.access_key_id.empty() && !credentials.secret_access_key.empty()) return;
  throw Error{Kind::denied,
              "no credentials to sign with: access key id or secret access key is empty",
              {.doing = "sign", .subject = redact_url(input.url)}};
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// What stands for the body in the canonical request; `automatic` is for payload "auto".
std::string payload_hash(const SignInput& input, bool automatic_is_unsigned) {
  if (input.payload == "unsigned") return std::string{kUnsignedPayload};
  if (input.payload != "auto") {
    if (is_hash(input.payload)) return input.payload;
    throw refused("payload must be \"auto\", \"unsigned\" or 64 hex digits", input);
  }
  if (const auto given = input.headers.find(kContentHash)) return std::string{*given};
  return automatic_is_unsigned ? std::string{kUnsignedPayload} : hex_sha256(input.body);
}

std::string_view path_of(std::string_view url) {
  const auto scheme = url.find("://");
  const auto path = url.find_first_of("/?#", scheme == std::string_view::npos ? 0 : scheme + 3);
  if (path == std::string_view::npos || url[path] != '/') return "/";
  return url.substr(path, url.find_first_of("?#", path) - path);
}

std::string signed_path(const SignInput& input, std::string_view wire_url) {
  const bool s3 = is_s3(input);
  return canonical_path(path_of(s3 ? wire_url : std::string_view{input.url}),
                        {.normalize = input.normalize.value_or(!s3), .encode = !s3});
}

http::Headers with_host(http::Headers headers, const http::Url& url) {
  if (!headers.has("host")) headers.add("Host", url.host_header());
  return headers;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

void add_signature(SignedRequest& out, const SignInput& input, const Credentials& credentials,
                   const Scope& scope, std::vector<QueryField> query, const SignedHeaders& headers,
                   std::string_view payload) {
  out.canonical_request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", upper(input.method), signed_path(input, out.url),
                  canonical_query(std::move(query)), headers.lines, headers.names, payload);
  out.string_to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, scope.timestamp, scope.text,
                                   hex_sha256(out.canonical_request));
  out.signature = signature_of(input, scope, credentials.secret_access_key, out.string_to_sign);
}

SignedRequest unsigned_request(const SignInput& input) {
  SignedRequest out{.url = wire_url(input.url), .headers = input.headers};
  for (auto name : {"Authorization", "X-Amz-Security-Token"}) out.headers.remove(name);
  return out;
}

void check_expires(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires) {
  if (expires < std::chrono::seconds{1} || expires > kMaxExpires)
    throw refused(
        fmt::format("expires must be 1 to {} seconds, not {}", kMaxExpires.count(), expires.count()), input);
  if (!credentials.expires || input.now + expires <= *credentials.expires) return;
  const auto left = std::chrono::floor<std::chrono::seconds>(*credentials.expires - input.now).count();
  throw refused(
      fmt::format("a link for {} s would outlive the temporary credentials that sign it, which end in "
                  "{} s: ask for less",
                  expires.count(), std::max<long long>(left, 0)),
      input);
}

bool is_signature_field(std::string_view name) {
  for (std::string_view ours : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                                "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"})
    if (http::same_name(name, ours)) return true;
  return false;
}

std::vector<QueryField> presign_fields(const Credentials& credentials, const Scope& scope,
                                       std::chrono::seconds expires, const std::string& signed_names) {
  const auto encoded = [](std::string_view text) { return http::percent_encode(text, false); };
  std::vector<QueryField> fields{
      {"X-Amz-Algorithm", std::string{kAlgorithm}},
      {"X-Amz-Credential", encoded(credentials.access_key_id + "/" + scope.text)},
      {"X-Amz-Date", scope.timestamp},
      {"X-Amz-Expires", std::to_string(expires.count())},
      {"X-Amz-SignedHeaders", encoded(signed_names)},
  };
  if (!credentials.session_token.empty())
    fields.emplace_back(std::string{kToken}, encoded(credentials.session_token));
  return fields;
}

}  // namespace

SignedRequest sign(const SignInput& input, const Credentials& credentials) {
  auto out = unsigned_request(input);
  if (credentials.anonymous) return out;
  need_keys(input, credentials);

  const auto url = http::Url::parse(out.url);
  const auto scope = scope_of(input);
  const auto payload = payload_hash(input, false);
  out.headers.set("X-Amz-Date", scope.timestamp);
  if (!credentials.session_token.empty()) out.headers.set(kToken, credentials.session_token);
  if (is_s3(input) || out.headers.has(kContentHash)) out.headers.set(kContentHash, payload);

  const auto headers = canonical_headers(with_host(out.headers, url));
  add_signature(out, input, credentials, scope, query_fields(url.query), headers, payload);
  out.headers.set("Authorization",
                  fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                              credentials.access_key_id, scope.text, headers.names, out.signature));
  return out;
}

SignedRequest presigned(const SignInput& input, const Credentials& credentials,
                        std::chrono::seconds expires) {
  check_expires(input, credentials, expires);
  if (credentials.anonymous) throw refused("an anonymous client has nothing to presign with", input);
  need_keys(input, credentials);

  auto out = unsigned_request(input);
  const auto url = http::Url::parse(out.url);
  const auto scope = scope_of(input);
  const auto headers = canonical_headers(with_host(out.headers, url));
  auto query = query_fields(url.query);
  std::erase_if(query, [](const QueryField& field) { return is_signature_field(field.first); });
  for (auto& field : presign_fields(credentials, scope, expires, headers.names))
    query.push_back(std::move(field));

  add_signature(out, input, credentials, scope, query, headers, payload_hash(input, is_s3(input)));
  query.emplace_back("X-Amz-Signature", out.signature);
  out.url = fmt::format("{}?{}", out.url.substr(0, out.url.find('?')), join_query(query));
  return out;
}

PostFields post_fields(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires) {
  check_expires(input, credentials, expires);
  if (credentials.anonymous) throw refused("an anonymous client has nothing to presign with", input);
  need_keys(input, credentials);
  const auto scope = scope_of(input);
  PostFields out;
  out.fields = {{"x-amz-algorithm", std::string{kAlgorithm}},
                {"x-amz-credential", credentials.access_key_id + "/" + scope.text},
                {"x-amz-date", scope.timestamp}};
  if (!credentials.session_token.empty())
    out.fields.emplace_back("x-amz-security-token", credentials.session_token);
  out.sign = [input, scope, secret = credentials.secret_access_key](std::string_view policy) {
    return signature_of(input, scope, secret, policy);
  };
  return out;
}

std::string presign(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires) {
  return presigned(input, credentials, expires).url;
}

}  // namespace penstock::aws
