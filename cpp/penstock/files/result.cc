#include "penstock/files/result.h"

#include <utility>

#include "penstock/http/request.h"

namespace penstock::files {
namespace {

constexpr const char* kDownload = "DOWNLOAD_FAILED";
constexpr const char* kValidation = "VALIDATION_FAILED";
constexpr const char* kUpload = "UPLOAD_FAILED";

std::string text_of(const Error& error) {
  return error.message().empty() ? "Unknown error" : error.message();
}

bool is_mismatch(std::string_view said) {
  return said == code::kSize || said == code::kChecksum;
}

// A source that answered may answer otherwise later; one that was refused or denied will not.
bool source_may_recover(const Error& error) {
  return error.kind() != Kind::refused && error.kind() != Kind::denied;
}

bool sink_may_recover(const Error& error) {
  return error.kind() == Kind::busy || error.kind() == Kind::lost;
}

// 408, 429 and the 5xx, as the http room classes them; a 501 stays a 5xx to the job layer.
bool status_may_recover(int status) {
  return status >= 500 || http::classify_status(status) != http::RetryClass::never;
}

// Whether the status is the failure: one that came with a break of a good answer, or told a change, is not.
bool status_is_the_cause(const Error& error) {
  return error.facts().status >= 300 && error.facts().code != penstock::code::kChanged;
}

Failure describe_source(const Error& error) {
  if (const int status = error.facts().status; status_is_the_cause(error)) {
    return {"Failed to download file: HTTP " + std::to_string(status), kDownload, status_may_recover(status)};
  }
  return {text_of(error), kDownload, source_may_recover(error)};
}

}  // namespace

Failure describe(const Error& error) {
  const std::string_view said = error.facts().code;
  if (error.message().empty()) return {"Unknown error", "UNKNOWN", false};
  if (error.kind() == Kind::cancelled) return {error.message(), "CANCELLED", true};
  if (said == penstock::code::kDeadline) return {error.message(), "TIMEOUT", true};
  if (error.kind() == Kind::in_doubt) return {error.message(), kUpload, false};
  if (is_mismatch(said)) return {error.message(), kValidation, true};
  const bool over_limit = said == penstock::code::kTooLarge && error.facts().side != Side::sink;
  if (over_limit || said == penstock::code::kAddressGuard) return {error.message(), kValidation, false};
  switch (error.facts().side) {
    case Side::source:
      return describe_source(error);
    case Side::sink:
      return {error.message(), kUpload, sink_may_recover(error)};
    case Side::none:
      break;
  }
  return {error.message(), error.kind() == Kind::refused ? kValidation : "UNKNOWN", false};
}

FileResult succeeded(const FileTask& task, Receipt receipt) {
  FileResult result;
  result.success = true;
  result.task_id = task.task_id;
  result.job_id = task.job_id;
  result.key = receipt.key;
  result.bytes = receipt.bytes;
  result.receipt = std::move(receipt);
  return result;
}

FileResult failed(const FileTask& task, const Error& error) {
  Failure failure = describe(error);
  FileResult result;
  result.task_id = task.task_id;
  result.job_id = task.job_id;
  result.error_message = std::move(failure.message);
  result.error_code = std::move(failure.code);
  result.error_kind = error.kind();
  result.retryable = failure.retryable;
  return result;
}

}  // namespace penstock::files
