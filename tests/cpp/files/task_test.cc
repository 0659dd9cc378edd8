#include "penstock/files/task.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "penstock/files/origin_digests.h"

#include "support/errors.h"

namespace penstock::files {
namespace {

using test::error_of;

FileTask good() {
  return {.task_id = "t-1",
          .job_id = "j-1",
          .url = "https://example.com/a.csv?sig=s",
          .file_name = "a.csv",
          .key = "in/a.csv"};
}

const std::string kSha(64, 'a');

TEST(Validate, AcceptsAGoodTask) {
  EXPECT_NO_THROW(validate(good()));
  FileTask task = good();
  task.expected_bytes = 5;
  task.checksum = kSha;
  task.checksum_algorithm = "SHA-256";
  EXPECT_NO_THROW(validate(task));
}

TEST(Validate, RefusesEachFieldByItsName) {
  struct Row {
    const char* field;
    std::function<void(FileTask&)> spoil;
  };
  const Row rows[] = {
      {"task_id", [](FileTask& t) { t.task_id = ""; }},
      {"task_id", [](FileTask& t) { t.task_id = std::string(256, 'x'); }},
      {"task_id", [](FileTask& t) { t.task_id = "a\nb"; }},
      {"job_id", [](FileTask& t) { t.job_id = ""; }},
      {"file_name", [](FileTask& t) { t.file_name = ""; }},
      {"url", [](FileTask& t) { t.url = "https://user:secret@example.com/"; }},
      {"expected_bytes", [](FileTask& t) { t.expected_bytes = t.max_bytes + 1; }},
      {"checksum_algorithm", [](FileTask& t) { t.checksum = kSha; }},
      {"checksum", [](FileTask& t) { t.checksum_algorithm = "md5"; }},
      {"mode", [](FileTask& t) { t.mode = store::Mode::if_match(""); }},
      {"max_redirects", [](FileTask& t) { t.max_redirects = -1; }},
  };
  for (const Row& row : rows) {
    FileTask task = good();
    row.spoil(task);
    Error error = error_of([&] { validate(task); });
    EXPECT_EQ(error.kind(), Kind::refused) << row.field;
    EXPECT_EQ(error.facts().subject, row.field) << error.message();
    EXPECT_EQ(error.message().find("secret"), std::string::npos) << error.message();
  }
}

TEST(Validate, RefusesARecordByWhatItsReaderFoundWrong) {
  FileTask task = good();
  task.malformed = "expected_bytes must be a whole number";
  for (const auto& check : {validate, validate_transfer}) {
    const Error error = error_of([&] { check(task); });
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.message(), task.malformed);
  }
}

TEST(Validate, RefusesWhatTheRoomsBelowRefuse) {
  const std::function<void(FileTask&)> spoils[] = {
      [](FileTask& t) { t.url = ""; },
      [](FileTask& t) { t.url = "ftp://example.com/a"; },
      [](FileTask& t) { t.url = "file:///etc/passwd"; },
      [](FileTask& t) { t.url = "https:///a"; },
      [](FileTask& t) { t.key = ""; },
      [](FileTask& t) { t.key = std::string("a\0b", 3); },
      [](FileTask& t) { t.checksum = "sha256:abc"; },
      [](FileTask& t) {
        t.checksum = kSha;
        t.checksum_algorithm = "sha999";
      },
      [](FileTask& t) { t.headers.add("X-A", "b\r\nX-Evil: 1"); },
      [](FileTask& t) { t.headers.add("bad name", "v"); },
  };
  int n = 0;
  for (const auto& spoil : spoils) {
    FileTask task = good();
    spoil(task);
    EXPECT_EQ(error_of([&] { validate(task); }).kind(), Kind::refused) << "row " << n;
    ++n;
  }
}

TEST(ExpectedDigest, TakesHexOfAnyCaseBase64AndAPrefix) {
  const std::string hex =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // SHA-256 of "abc"
  const char* forms[] = {
      "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
      "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"};
  for (const char* form : forms) {
    FileTask task = good();
    task.checksum = form;
    task.checksum_algorithm = "sha_256";
    EXPECT_EQ(expected_digest(task)->hex(), hex) << form;
    task.checksum = "sha256:" + std::string{form};
    task.checksum_algorithm = "";
    EXPECT_EQ(expected_digest(task)->hex(), hex) << form;
  }
  EXPECT_FALSE(expected_digest(good()).has_value());
}

TEST(OriginDigests, ReadsTheThreeKindsOfHeaderAndLeavesOutWhatSaysNothing) {
  http::Headers headers{
      {"Content-MD5", "kAFQmDzST7DWlj99KOF/cg=="},
      {"Repr-Digest", "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:, unknown=:AA==:, bad"},
      {"x-amz-checksum-crc32", "NSRBwg=="},
      {"x-amz-checksum-sha1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=-3"}};
  auto digests = origin_digests(headers);
  ASSERT_EQ(digests.size(), 3u);
  EXPECT_EQ(digests[0].hex(), "900150983cd24fb0d6963f7d28e17f72");  // MD5 of "abc", RFC 1321
  EXPECT_EQ(digests[1].algorithm(), Algorithm::sha256);
  EXPECT_EQ(digests[2].hex(), "352441c2");  // CRC32 of "abc"
  headers.add("x-amz-checksum-type", "COMPOSITE");
  EXPECT_EQ(origin_digests(headers).size(), 2u);
}

}  // namespace
}  // namespace penstock::files
