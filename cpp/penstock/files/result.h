// What became of a task: success, or which of the known failures, in the words the existing system's users
// know.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/error.h"
#include "penstock/files/task.h"
#include "penstock/streams/receipt.h"

namespace penstock::files {

// Codes this room gives to an Error, beside those of base/error.h.
namespace code {
inline constexpr std::string_view kSize = "size_mismatch";          // corrupt: not expected_bytes
inline constexpr std::string_view kChecksum = "checksum_mismatch";  // corrupt: not the checksum asked for
}  // namespace code

// On failure key and bytes are absent, and error_* say why.
struct FileResult {
  bool success = false;
  std::string task_id, job_id;
  std::optional<std::string> key;  // the real one, prefix included
  std::optional<std::uint64_t> bytes;
  std::int64_t duration_ms = 0;
  std::string error_message;
  std::string error_code;  // DOWNLOAD_FAILED, VALIDATION_FAILED, UPLOAD_FAILED, TIMEOUT, CANCELLED, UNKNOWN
  std::optional<Kind> error_kind;
  bool retryable = false;
  bool skipped = false;
  Receipt receipt;  // on success: bucket, etag, digests, attempts, resumes, restarts, mode ...
};

// How a failure is told: the message, its code, and whether running the task again may help.
struct Failure {
  std::string message, code;
  bool retryable = false;
};
Failure describe(const Error& error);

FileResult succeeded(const FileTask& task, Receipt receipt);
FileResult failed(const FileTask& task, const Error& error);

}  // namespace penstock::files
