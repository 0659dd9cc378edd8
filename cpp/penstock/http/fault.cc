#include "penstock/http/fault.h"

#include <fmt/format.h>

#include "penstock/base/redact.h"
#include "penstock/base/units.h"

namespace penstock::http {
namespace {

struct Meaning {
  Kind kind;
  std::string_view code;
  std::string_view says;
};

Meaning meaning_of(const Breakdown& breakdown) {
  switch (breakdown.result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Kind::lost, "dns", "the host name was not resolved"};
    case CURLE_COULDNT_CONNECT:
      return {Kind::lost, "connect", "no connection was made"};
    case CURLE_OPERATION_TIMEDOUT:
      return {Kind::lost, "connect_timeout", "no connection was made in time"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
      return {Kind::refused, code::kTls, "TLS failed"};
    case CURLE_SSL_CONNECT_ERROR:
      if (breakdown.tls_refused) return {Kind::refused, code::kTls, "TLS failed"};
      return {Kind::lost, "tls_cut", "the connection broke in the TLS handshake"};
    case CURLE_PARTIAL_FILE:
      return {Kind::lost, "short_body", "the body ended before its length"};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_SSL_SHUTDOWN_FAILED:
      return {Kind::lost, "reset", "the connection broke"};
    case CURLE_PROXY:
      return {Kind::lost, "proxy", "the proxy did not connect"};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return {Kind::corrupt, "not_http", "the answer is not HTTP/1.1"};
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return {Kind::refused, "url", "libcurl refuses the request"};
    default:
      return {Kind::lost, "transport", "the transfer failed"};
  }
}

Error typed(const Meaning& meaning, std::string_view detail) {
  Facts facts;
  facts.code = meaning.code;
  std::string text(meaning.says);
  if (!detail.empty()) text += fmt::format(" ({})", redact_text(detail, 256));
  return Error(meaning.kind, std::move(text), std::move(facts));
}

}  // namespace

Error our_error(Kind kind, std::string_view code, std::string message) {
  Facts facts;
  facts.code = code;
  return Error(kind, std::move(message), std::move(facts));
}

Error fault(const Breakdown& breakdown) {
  if (breakdown.address_blocked) return blocked_fault();
  const std::string_view detail =
      breakdown.detail.empty() ? curl_easy_strerror(breakdown.result) : breakdown.detail;
  return typed(meaning_of(breakdown), detail);
}

Error blocked_fault() {
  return typed(
      {Kind::denied, code::kAddressGuard,
       "the host resolves to an address the guard does not allow; pass a guard that does if it is meant"},
      {});
}

Error first_byte_fault() {
  return typed({Kind::lost, "first_byte_timeout", "no answer came in time after the request was sent"}, {});
}

Error stall_fault() {
  return typed({Kind::lost, code::kStalled, "too few bytes moved for too long"}, {});
}

Error starved_fault() {
  Error error = typed(
      {Kind::lost, "starved", "the body's source gave no byte for too long; the request was dropped"}, {});
  error.facts().side = Side::source;
  return error;
}

Error cut_stream_fault() {
  return typed({Kind::lost, "reset", "the connection broke while the body was sent"}, {});
}

Error cut_head_fault() {
  return typed({Kind::lost, "short_head", "the answer's head ended before its blank line"}, {});
}

Error head_fault() {
  return typed({Kind::corrupt, "head_too_large", "the answer's head is over 64 KiB"}, {});
}

Error body_fault(std::size_t max_bytes) {
  const std::string says = fmt::format("the answer's body is over {}", format_bytes(max_bytes));
  return typed({Kind::corrupt, code::kTooLarge, says}, {});
}

}  // namespace penstock::http
