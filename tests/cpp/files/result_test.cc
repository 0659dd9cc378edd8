#include "penstock/files/result.h"

#include <string>

#include <gtest/gtest.h>

namespace penstock::files {
namespace {

Error error(Kind kind, Side side, std::string message, int status = 0, std::string_view said = {}) {
  return Error{kind, std::move(message), {.side = side, .status = status, .code = std::string{said}}};
}

struct Row {
  const char* cause;
  Error error;
  const char* message;
  const char* error_code;
  bool retryable;
};

// The table of results, row by row, character by character.
TEST(Describe, TellsEachCauseInTheKnownWords) {
  namespace known = penstock::code;
  const Row rows[] = {
      {"404", error(Kind::missing, Side::source, "not there", 404), "Failed to download file: HTTP 404",
       "DOWNLOAD_FAILED", false},
      {"403", error(Kind::denied, Side::source, "no", 403), "Failed to download file: HTTP 403",
       "DOWNLOAD_FAILED", false},
      {"400", error(Kind::refused, Side::source, "no", 400), "Failed to download file: HTTP 400",
       "DOWNLOAD_FAILED", false},
      {"408", error(Kind::lost, Side::source, "no", 408), "Failed to download file: HTTP 408",
       "DOWNLOAD_FAILED", true},
      {"409", error(Kind::conflict, Side::source, "no", 409), "Failed to download file: HTTP 409",
       "DOWNLOAD_FAILED", false},
      {"429", error(Kind::busy, Side::source, "no", 429), "Failed to download file: HTTP 429",
       "DOWNLOAD_FAILED", true},
      {"500", error(Kind::lost, Side::source, "no", 500), "Failed to download file: HTTP 500",
       "DOWNLOAD_FAILED", true},
      {"501", error(Kind::refused, Side::source, "no", 501), "Failed to download file: HTTP 501",
       "DOWNLOAD_FAILED", true},
      {"503", error(Kind::lost, Side::source, "no", 503), "Failed to download file: HTTP 503",
       "DOWNLOAD_FAILED", true},
      {"302", error(Kind::refused, Side::source, "no", 302), "Failed to download file: HTTP 302",
       "DOWNLOAD_FAILED", false},
      {"over the limit",
       error(Kind::refused, Side::source, "File size 9 bytes exceeds maximum 8 bytes", 0, known::kTooLarge),
       "File size 9 bytes exceeds maximum 8 bytes", "VALIDATION_FAILED", false},
      {"other size",
       error(Kind::corrupt, Side::source, "File size mismatch. Expected: 1, Actual: 2", 0, code::kSize),
       "File size mismatch. Expected: 1, Actual: 2", "VALIDATION_FAILED", true},
      {"other digest",
       error(Kind::corrupt, Side::source, "Checksum validation failed. Expected: a, Actual: b", 0,
             code::kChecksum),
       "Checksum validation failed. Expected: a, Actual: b", "VALIDATION_FAILED", true},
      {"task not valid", error(Kind::refused, Side::none, "url is empty"), "url is empty",
       "VALIDATION_FAILED", false},
      {"address guard", error(Kind::denied, Side::source, "10.0.0.1 is private", 0, known::kAddressGuard),
       "10.0.0.1 is private", "VALIDATION_FAILED", false},
      {"broke", error(Kind::lost, Side::source, "reset by peer"), "reset by peer", "DOWNLOAD_FAILED", true},
      {"broke after a 200", error(Kind::lost, Side::source, "reset by peer", 200), "reset by peer",
       "DOWNLOAD_FAILED", true},
      {"stalled", error(Kind::lost, Side::source, "too slow", 0, known::kStalled), "too slow",
       "DOWNLOAD_FAILED", true},
      {"changed", error(Kind::conflict, Side::source, "it changed", 0, known::kChanged), "it changed",
       "DOWNLOAD_FAILED", true},
      {"changed, told by 412", error(Kind::conflict, Side::source, "it changed", 412, known::kChanged),
       "it changed", "DOWNLOAD_FAILED", true},
      {"cut short", error(Kind::corrupt, Side::source, "3 of 4 bytes"), "3 of 4 bytes", "DOWNLOAD_FAILED",
       true},
      {"store denied", error(Kind::denied, Side::sink, "no right", 403), "no right", "UPLOAD_FAILED", false},
      {"store conflict", error(Kind::conflict, Side::sink, "taken", 412), "taken", "UPLOAD_FAILED", false},
      {"store busy", error(Kind::busy, Side::sink, "slow down", 503), "slow down", "UPLOAD_FAILED", true},
      {"store lost", error(Kind::lost, Side::sink, "gone"), "gone", "UPLOAD_FAILED", true},
      {"store refuses the size", error(Kind::refused, Side::sink, "metadata too large", 0, known::kTooLarge),
       "metadata too large", "UPLOAD_FAILED", false},
      {"in doubt", error(Kind::in_doubt, Side::sink, "look at s3://b/k"), "look at s3://b/k", "UPLOAD_FAILED",
       false},
      {"deadline of the source", error(Kind::lost, Side::source, "too late", 0, known::kDeadline), "too late",
       "TIMEOUT", true},
      {"deadline of the store", error(Kind::lost, Side::sink, "too late", 0, known::kDeadline), "too late",
       "TIMEOUT", true},
      {"no text", error(Kind::lost, Side::source, ""), "Unknown error", "UNKNOWN", false},
      {"a foreign exception", error(Kind::lost, Side::none, "bad alloc"), "bad alloc", "UNKNOWN", false},
      {"cancelled", error(Kind::cancelled, Side::none, "stopped"), "stopped", "CANCELLED", true},
  };
  for (const Row& row : rows) {
    Failure failure = describe(row.error);
    EXPECT_EQ(failure.message, row.message) << row.cause;
    EXPECT_EQ(failure.code, row.error_code) << row.cause;
    EXPECT_EQ(failure.retryable, row.retryable) << row.cause;
  }
}

TEST(FileResult, AFailureHasNoKeyAndNoBytes) {
  FileTask task{.task_id = "t", .job_id = "j", .key = "k"};
  FileResult result = failed(task, error(Kind::missing, Side::source, "no", 404));
  EXPECT_FALSE(result.success);
  EXPECT_FALSE(result.key.has_value());
  EXPECT_FALSE(result.bytes.has_value());
  EXPECT_EQ(result.task_id, "t");
  EXPECT_EQ(result.job_id, "j");
  EXPECT_EQ(result.error_kind, Kind::missing);
}

TEST(FileResult, ASuccessHasTheReceiptsKeyAndNoError) {
  FileTask task{.task_id = "t", .job_id = "j", .key = "k"};
  FileResult result = succeeded(task, Receipt{.bytes = 7, .key = "exports/k"});
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.key, "exports/k");
  EXPECT_EQ(result.bytes, 7u);
  EXPECT_EQ(result.error_message, "");
  EXPECT_FALSE(result.error_kind.has_value());
}

}  // namespace
}  // namespace penstock::files
