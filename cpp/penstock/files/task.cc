#include "penstock/files/task.h"

#include <algorithm>
#include <string_view>

#include "penstock/base/error.h"
#include "penstock/http/url.h"
#include "penstock/store/object_store.h"

namespace penstock::files {
namespace {

[[noreturn]] void refuse(std::string_view field, std::string_view why) {
  throw Error{Kind::refused,
              std::string{field} + " " + std::string{why},
              {.doing = "validate task", .subject = std::string{field}}};
}

bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}

void check_printable(std::string_view field, std::string_view text, std::size_t max_bytes) {
  if (text.empty()) refuse(field, "is empty");
  if (text.size() > max_bytes) refuse(field, "is longer than " + std::to_string(max_bytes) + " bytes");
  if (std::any_of(text.begin(), text.end(), is_control)) refuse(field, "contains a control character");
}

void check_well_formed(const FileTask& task) {
  if (task.malformed.empty()) return;
  throw Error{Kind::refused, task.malformed, {.doing = "validate task", .subject = "task"}};
}

void check_url(const std::string& text) {
  if (http::Url::parse(text).has_userinfo) {
    refuse("url", "contains a user name or password; pass credentials as a header instead");
  }
}

}  // namespace

std::optional<Digest> expected_digest(const FileTask& task) {
  if (task.checksum.empty() && task.checksum_algorithm.empty()) return std::nullopt;
  if (task.checksum.empty()) refuse("checksum", "is missing although checksum_algorithm is given");
  if (task.checksum_algorithm.empty() && task.checksum.find(':') == std::string::npos) {
    refuse("checksum_algorithm", "is missing although checksum is given; name it, or write sha256:...");
  }
  const auto algorithm = task.checksum_algorithm.empty()
                             ? std::nullopt
                             : std::optional{parse_algorithm(task.checksum_algorithm)};
  return Digest::parse(algorithm, task.checksum);
}

void validate_transfer(const FileTask& task) {
  check_well_formed(task);
  check_url(task.url);
  store::check_key(task.key);
  if (!task.bucket.empty()) check_printable("bucket", task.bucket, 255);
  if (task.expected_bytes && *task.expected_bytes > task.max_bytes) {
    refuse("expected_bytes", "is over max_bytes");
  }
  if (task.mode.kind == store::Mode::Kind::if_match && task.mode.etag.empty()) {
    refuse("mode", "is if_match without an ETag");
  }
  if (task.max_redirects < 0) refuse("max_redirects", "is negative");
  expected_digest(task);
  for (const auto& [name, value] : task.headers) http::check_header(name, value);
  for (const auto& [name, value] : task.metadata) check_printable("metadata name", name, 255);
}

void validate(const FileTask& task) {
  check_well_formed(task);
  check_printable("task_id", task.task_id, 255);
  check_printable("job_id", task.job_id, 255);
  check_printable("file_name", task.file_name, 1024);
  validate_transfer(task);
}

}  // namespace penstock::files
