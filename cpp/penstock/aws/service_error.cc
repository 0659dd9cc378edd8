#include "penstock/aws/service_error.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "penstock/base/json.h"
#include "penstock/base/redact.h"

namespace penstock::aws {
namespace {

// Longer error texts add nothing a person reads.
constexpr std::size_t kMaxMessageBytes = 512;
constexpr std::size_t kMaxCodeBytes = 128;
constexpr std::size_t kMaxTags = 200'000;

bool is_one_of(std::string_view text, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Errors stand at the root or, in the query protocol, under <ErrorResponse>.
pugi::xml_node error_node(const pugi::xml_document& document) {
  if (auto error = document.child("Error")) return error;
  return document.child("ErrorResponse").child("Error");
}

std::optional<ServiceError> parse_xml(std::string_view body) {
  if (has_too_many_tags(body)) return std::nullopt;
  pugi::xml_document document;
  // A cut-off document still gives what came before the cut.
  document.load_buffer(body.data(), body.size());
  const auto error = error_node(document);
  if (!error) return std::nullopt;
  ServiceError said{.code = error.child_value("Code"),
                    .message = error.child_value("Message"),
                    .request_id = error.child_value("RequestId"),
                    .host_id = error.child_value("HostId"),
                    .region = error.child_value("Region"),
                    .server_time = error.child_value("ServerTime"),
                    .bucket = error.child_value("BucketName")};
  if (said.request_id.empty()) said.request_id = document.child("ErrorResponse").child_value("RequestId");
  return said;
}

std::optional<ServiceError> parse_json_error(std::string_view body) {
  try {
    const auto object = parse_json(body, 16);
    if (!object.is_object()) return std::nullopt;
    ServiceError said{.code = text_at(object, "__type"), .message = text_at(object, "message")};
    if (said.code.empty()) said.code = text_at(object, "code");
    if (said.message.empty()) said.message = text_at(object, "Message");
    return said;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// "com.amazonaws.sqs#QueueDoesNotExist" and "Throttling:http://..." name their code in the middle.
std::string bare_code(std::string_view code) {
  if (const auto hash = code.find('#'); hash != std::string_view::npos) code.remove_prefix(hash + 1);
  return std::string{code.substr(0, code.find_first_of(":;"))};
}

void fill_from_headers(ServiceError& said, const http::Headers& headers) {
  const auto fill = [&headers](std::string& field, std::string_view name) {
    if (field.empty()) field = headers.get(name);
  };
  fill(said.code, "x-amzn-query-error");
  fill(said.code, "x-amzn-errortype");
  fill(said.request_id, "x-amz-request-id");
  fill(said.request_id, "x-amzn-requestid");
  fill(said.host_id, "x-amz-id-2");
  // The header knows better than the body, which names the region asked for by some servers.
  if (headers.has("x-amz-bucket-region")) said.region = headers.get("x-amz-bucket-region");
}

bool says_something(const ServiceError& said) {
  return !said.code.empty() || !said.message.empty() || !said.request_id.empty() || !said.region.empty();
}

std::string_view skip_white_space(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const auto start = text.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

constexpr std::string_view kTransient[] = {
    "RequestTimeout",        "RequestTimeoutException", "InternalError", "IncompleteBody",
    "IDPCommunicationError",  // of STS, a 400: it did not reach who signs web identities
};
constexpr std::string_view kThrottle[] = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "KmsThrottled",
    "OverLimit",  // of SQS: too many messages are in flight
};
constexpr std::string_view kMissing[] = {"NoSuchKey",         "NoSuchBucket",
                                         "NoSuchVersion",     "NoSuchUpload",
                                         "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"};
constexpr std::string_view kConflict[] = {"PreconditionFailed", "ConditionalRequestConflict",
                                          "OperationAborted"};
constexpr std::string_view kCorrupt[] = {"BadDigest", "XAmzContentSHA256Mismatch",
                                         "XAmzContentChecksumMismatch"};
// Some of these come as 400.
constexpr std::string_view kDenied[] = {
    "AccessDenied",          "AccessDeniedException",      "ExpiredToken",
    "ExpiredTokenException", "TokenRefreshRequired",       "InvalidToken",
    "InvalidAccessKeyId",    "InvalidClientTokenId",       "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",  "UnrecognizedClientException"};

Kind kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return Kind::denied;
    case 404:
    case 410:
      return Kind::missing;
    case 409:
    case 412:
      return Kind::conflict;
    case 429:
      return Kind::busy;
    case 408:
      return Kind::lost;
    default:
      return status >= 500 && status != 501 ? Kind::lost : Kind::refused;
  }
}

std::string describe(const http::Attempt& attempt, const ServiceError& said) {
  auto text =
      fmt::format("{} {}: {}", attempt.request.method, redact_url(attempt.request.url), attempt.status);
  if (!said.code.empty()) text += " " + redact_text(said.code, kMaxCodeBytes);
  if (!said.message.empty()) text += ": " + redact_text(said.message, kMaxMessageBytes);
  return text;
}

}  // namespace

std::optional<ServiceError> parse_service_error(int status, const http::Headers& headers,
                                                std::string_view body) {
  const auto text = skip_white_space(body);
  std::optional<ServiceError> said;
  if (text.starts_with('<')) said = parse_xml(text);
  if (text.starts_with('{') && status >= 300) said = parse_json_error(text);
  if (status < 300) return said;
  if (!said) said.emplace();
  fill_from_headers(*said, headers);
  said->code = bare_code(said->code);
  return says_something(*said) ? said : std::nullopt;
}

bool has_too_many_tags(std::string_view xml) {
  return static_cast<std::size_t>(std::ranges::count(xml, '<')) > kMaxTags;
}

bool is_whole_xml(std::string_view body) {
  if (has_too_many_tags(body)) return true;
  pugi::xml_document document;
  return document.load_buffer(body.data(), body.size()) && document.document_element();
}

std::optional<http::RetryClass> classify_code(std::string_view code) {
  if (is_one_of(code, kTransient)) return http::RetryClass::transient;
  if (is_one_of(code, kThrottle)) return http::RetryClass::throttle;
  return std::nullopt;
}

Kind kind_of(std::string_view code, int status) {
  if (is_one_of(code, kTransient)) return Kind::lost;
  if (is_one_of(code, kThrottle)) return Kind::busy;
  if (is_one_of(code, kMissing)) return Kind::missing;
  if (is_one_of(code, kConflict)) return Kind::conflict;
  if (is_one_of(code, kCorrupt)) return Kind::corrupt;
  if (is_one_of(code, kDenied)) return Kind::denied;
  return kind_of_status(status);
}

Error service_error(const http::Attempt& attempt, const ServiceError& said) {
  Facts facts{.doing = attempt.request.method,
              .subject = redact_url(attempt.request.url),
              .status = attempt.status,
              .code = redact_text(said.code, kMaxCodeBytes),
              .request_id = redact_text(said.request_id, kMaxCodeBytes),
              .host_id = redact_text(said.host_id, kMaxCodeBytes),
              .attempts = attempt.number};
  return Error{kind_of(said.code, attempt.status), describe(attempt, said), std::move(facts)};
}

}  // namespace penstock::aws
