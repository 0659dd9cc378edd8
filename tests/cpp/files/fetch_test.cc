#include <memory>
#include <thread>

#include "penstock/disk/system_error.h"

#include "files/fetching.h"

namespace penstock::files {
namespace {

using test::pattern;
using test::respond;
using test::script;

TEST_F(Fetch, AUrlBecomesAVerifiedObjectWithItsMetadata) {
  server.on("/a", respond(200, {{"Content-Type", "text/csv"}}, pattern(0, 700'000)));
  FileTask wanted = task();
  wanted.expected_bytes = 700'000;
  wanted.checksum = "sha256:" + sha256(pattern(0, 700'000));
  Receipt receipt = fetch(web, wanted, folder);
  EXPECT_EQ(receipt.bytes, 700'000u);
  EXPECT_EQ(receipt.digests.at("sha256"), sha256(pattern(0, 700'000)));
  EXPECT_EQ(receipt.restarts, 0);
  EXPECT_EQ(content(folder, "in/a.csv"), pattern(0, 700'000));
  store::ObjectMeta meta = folder.head("in/a.csv");
  EXPECT_EQ(meta.content_type, "text/csv");
  EXPECT_EQ(meta.metadata.at("taskid"), "t-1");
  EXPECT_EQ(meta.metadata.at("jobid"), "j-1");
  EXPECT_EQ(meta.metadata.at("originalfilename"), "a.csv");
  EXPECT_EQ(meta.metadata.at("penstock-sha256"), sha256(pattern(0, 700'000)));
}

TEST_F(Fetch, ContentTypeIsTheTasksElseTheResponsesElseOctetStream) {
  server.on("/a", respond(200, {}, "x"));
  fetch(web, task(), memory);
  EXPECT_EQ(memory.head("in/a.csv").content_type, "application/octet-stream");
  FileTask typed = task();
  typed.content_type = "text/plain";
  fetch(web, typed, memory);
  EXPECT_EQ(memory.head("in/a.csv").content_type, "text/plain");
}

TEST_F(Fetch, TheBucketOfTheTaskIsHonoured) {
  server.on("/a", respond(200, {}, "x"));
  FileTask elsewhere = task();
  elsewhere.bucket = "other";
  fetch(web, elsewhere, memory);
  EXPECT_FALSE(memory.exists("in/a.csv"));
  EXPECT_TRUE(memory.with_bucket("other")->exists("in/a.csv"));
}

TEST_F(Fetch, ProcessTellsSuccessInItsResultAndTheLog) {
  server.on("/a", respond(200, {}, "hello"));
  FileTask wanted = task();
  wanted.checksum = "sha256:" + sha256("hello");
  FileResult result = process(web, wanted, memory);
  ASSERT_TRUE(result.success) << result.error_message;
  EXPECT_EQ(result.key, "in/a.csv");
  EXPECT_EQ(result.bytes, 5u);
  EXPECT_TRUE(logged("Processing file task t-1 for job j-1: a.csv"));
  EXPECT_TRUE(logged("Checksum validation passed: " + sha256("hello")));
  EXPECT_TRUE(logged("Successfully processed file task t-1 in " + std::to_string(result.duration_ms) +
                     "ms. Size: 5 bytes"));
}

TEST_F(Fetch, AnotherStatusIsToldByItsNumber) {
  server.on("/a", respond(404, {}, "no such thing"));
  FileResult result = fails(task());
  EXPECT_EQ(result.error_message, "Failed to download file: HTTP 404");
  EXPECT_EQ(result.error_code, "DOWNLOAD_FAILED");
  EXPECT_FALSE(result.retryable);
  EXPECT_TRUE(logged("Failed to process file task t-1: Failed to download file: HTTP 404"));
}

TEST_F(Fetch, AStatusOf2xxThatIsNot200IsAFailure) {
  server.on("/a", respond(204));
  FileResult result = fails(task());
  EXPECT_EQ(result.error_message, "Failed to download file: HTTP 204");
  EXPECT_EQ(result.error_code, "DOWNLOAD_FAILED");
}

TEST_F(Fetch, WithoutRedirectsARedirectIsAFailure) {
  server.on("/a", respond(302, {{"Location", "/b"}}));
  server.on("/b", respond(200, {}, "followed"));
  FileTask wanted = task();
  wanted.max_redirects = 0;
  EXPECT_EQ(fails(wanted).error_message, "Failed to download file: HTTP 302");
  wanted.max_redirects = 1;
  fetch(web, wanted, memory);
  EXPECT_EQ(content(memory, "in/a.csv"), "followed");
}

TEST_F(Fetch, ALengthOverTheLimitEndsBeforeTheFirstByte) {
  server.on("/a", script().bytes(std::string{kHead} + "Content-Length: 1001\r\n\r\n").stall());
  FileTask wanted = task();
  wanted.max_bytes = 1000;
  FileResult result = fails(wanted);
  EXPECT_EQ(result.error_message, "File size 1001 bytes exceeds maximum 1000 bytes");
  EXPECT_EQ(result.error_code, "VALIDATION_FAILED");
  EXPECT_FALSE(result.retryable);
}

TEST_F(Fetch, WithoutALengthTheLimitStopsAtTheFirstByteOver) {
  std::string chunks;
  for (int i = 0; i < 40; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
  server.on("/a", script().bytes(std::string{kHead} + "Transfer-Encoding: chunked\r\n\r\n" + chunks).stall());
  FileTask wanted = task();
  wanted.max_bytes = 1000;
  FileResult result = fails(wanted);
  EXPECT_EQ(result.error_message, "File size 1001 bytes exceeds maximum 1000 bytes");
  EXPECT_EQ(result.error_code, "VALIDATION_FAILED");
}

TEST_F(Fetch, ExactlyTheLimitIsASuccessFramedEitherWay) {
  server.on("/a", respond(200, {}, std::string(1000, 'x')));
  server.on("/b", script().bytes(std::string{kHead} + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" +
                                 std::string(1000, 'x') + "\r\n0\r\n\r\n"));
  for (const char* path : {"/a", "/b"}) {
    FileTask wanted = task(path);
    wanted.max_bytes = 1000;
    EXPECT_EQ(fetch(web, wanted, memory).bytes, 1000u) << path;
  }
}

TEST_F(Fetch, AnotherLengthThanExpectedEndsBeforeTheFirstByte) {
  server.on("/a", script().bytes(std::string{kHead} + "Content-Length: 4\r\n\r\n").stall());
  FileTask wanted = task();
  wanted.expected_bytes = 5;
  FileResult result = fails(wanted);
  EXPECT_EQ(result.error_message, "File size mismatch. Expected: 5, Actual: 4");
  EXPECT_EQ(result.error_code, "VALIDATION_FAILED");
  EXPECT_TRUE(result.retryable);
}

TEST_F(Fetch, AnotherCountThanExpectedIsFoundWithoutALength) {
  server.on("/a",
            script().bytes(std::string{kHead} + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"));
  FileTask wanted = task();
  wanted.expected_bytes = 5;
  EXPECT_EQ(fails(wanted).error_message, "File size mismatch. Expected: 5, Actual: 4");
}

TEST_F(Fetch, AnotherDigestIsToldInTheEncodingItWasGivenIn) {
  server.on("/a", respond(200, {}, "hello"));
  struct Row {
    const char *algorithm, *given, *actual;
  };
  const Row rows[] = {
      {"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
       "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
      {"sha256",
       "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="},
      {"MD5", "900150983cd24fb0d6963f7d28e17f72", "5d41402abc4b2a76b9719d911017c592"},
      {"sha-1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
      {"crc32", "352441c2", "3610a686"},
      {"crc32", "NSRBwg==", "NhCmhg=="},
  };
  for (const Row& row : rows) {
    FileTask wanted = task();
    wanted.checksum = row.given;
    wanted.checksum_algorithm = row.algorithm;
    FileResult result = fails(wanted);
    EXPECT_EQ(result.error_message,
              std::string{"Checksum validation failed. Expected: "} + row.given + ", Actual: " + row.actual);
    EXPECT_EQ(result.error_code, "VALIDATION_FAILED");
    EXPECT_TRUE(result.retryable);
    wanted.checksum = row.actual;
    EXPECT_TRUE(process(web, wanted, memory).success) << row.algorithm;
  }
}

TEST_F(Fetch, EveryAlgorithmAskedForIsInTheReceipt) {
  server.on("/a", respond(200, {}, "hello"));
  FileTask wanted = task();
  wanted.digests = {Algorithm::sha256, Algorithm::md5, Algorithm::crc32};
  Receipt receipt = fetch(web, wanted, memory);
  EXPECT_EQ(receipt.digests.at("md5"), "5d41402abc4b2a76b9719d911017c592");
  EXPECT_EQ(receipt.digests.at("crc32"), "3610a686");
  EXPECT_EQ(receipt.digests.size(), 3u);
}

TEST_F(Fetch, VerifyHeadersComparesWhatTheOriginSays) {
  server.on("/a", respond(200, {{"Content-MD5", "kAFQmDzST7DWlj99KOF/cg=="}}, "hello"));
  EXPECT_TRUE(process(web, task(), memory).success);
  FileTask wanted = task();
  wanted.verify_headers = true;
  EXPECT_EQ(fails(wanted).error_message,
            "Checksum validation failed. Expected: 900150983cd24fb0d6963f7d28e17f72, Actual: "
            "5d41402abc4b2a76b9719d911017c592");
}

TEST_F(Fetch, SkipExistingTakesTheObjectOfTheSameTaskSizeAndDigestOnly) {
  server.on("/a", respond(200, {}, "hello"));
  FileTask wanted = task();
  wanted.checksum = "sha256:" + sha256("hello");
  wanted.expected_bytes = 5;
  wanted.skip_existing = true;
  EXPECT_FALSE(process(web, wanted, folder).skipped);
  FileResult again = process(web, wanted, folder);
  EXPECT_TRUE(again.success);
  EXPECT_TRUE(again.skipped);
  EXPECT_EQ(again.bytes, 5u);
  EXPECT_EQ(server.requests("/a").size(), 1u);
  wanted.task_id = "t-2";
  EXPECT_FALSE(process(web, wanted, folder).skipped);
  folder.put("in/a.csv", as_bytes("other"), {.metadata = {{"taskid", "t-2"}}});
  EXPECT_FALSE(process(web, wanted, folder).skipped);
  EXPECT_EQ(content(folder, "in/a.csv"), "hello");
}

TEST_F(Fetch, CreateOverAnObjectIsAFailureOfTheStore) {
  server.on("/a", respond(200, {}, "hello"));
  FileTask wanted = task();
  wanted.mode = store::Mode::create();
  FileResult result = fails(wanted);
  EXPECT_EQ(result.error_code, "UPLOAD_FAILED");
  EXPECT_EQ(result.error_kind, Kind::conflict);
  EXPECT_FALSE(result.retryable);
}

TEST_F(Fetch, AStoreWithoutRoomIsAFailureOfTheStoreThatMayPass) {
  server.on("/a", respond(200, {}, std::string(2000, 'x')));
  store::MemoryStore small{{.max_bytes = 3000}};
  small.put("other", as_bytes(std::string(2500, 'o')));
  FileResult result = process(web, task(), small);
  EXPECT_EQ(result.error_code, "UPLOAD_FAILED");
  EXPECT_TRUE(result.retryable);
  EXPECT_FALSE(small.exists("in/a.csv"));
}

TEST_F(Fetch, ADeadlineIsATimeout) {
  server.on("/a", script().stall());
  FileTask wanted = task();
  wanted.deadline = std::chrono::milliseconds{100};
  FileResult result = fails(wanted);
  EXPECT_EQ(result.error_code, "TIMEOUT") << result.error_message;
  EXPECT_TRUE(result.retryable);
}

TEST_F(Fetch, AStopInTheBodyCancelsAndLeavesNothing) {
  test::Gate gate;
  server.on("/a", script().bytes(std::string{kHead} + "Content-Length: 10\r\n\r\nhalf ").wait(gate));
  std::stop_source stop;
  std::jthread stopper([&] {
    gate.reached();
    stop.request_stop();
  });
  FileResult result = process(web, task(), memory, {.call = {.stop = stop.get_token()}});
  EXPECT_EQ(result.error_kind, Kind::cancelled) << result.error_message;
  EXPECT_FALSE(memory.exists("in/a.csv"));
}

TEST_F(Fetch, NothingIsAskedForATaskThatIsNotValid) {
  FileTask wanted = task();
  wanted.checksum = "sha256:abc";
  FileResult result = process(web, wanted, memory);
  EXPECT_EQ(result.error_code, "VALIDATION_FAILED");
  EXPECT_FALSE(result.retryable);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Fetch, ProgressTellsTheStatesInOrderAndNeverFalls) {
  server.on("/a", respond(200, {}, pattern(0, 500'000)));
  Seen seen;
  fetch(web, task(), memory, {.call = {.progress = &seen}});
  using enum TransferState;
  EXPECT_EQ(seen.states(), (std::vector{downloading, verifying, publishing, completed}));
  EXPECT_EQ(seen.reports.back().bytes_done, 500'000u);
  for (std::size_t i = 1; i < seen.reports.size(); ++i) {
    EXPECT_GE(seen.reports[i].bytes_done, seen.reports[i - 1].bytes_done);
    EXPECT_EQ(seen.reports[i].bytes_total, 500'000u);
  }
}

TEST_F(Fetch, ProgressEndsInFailedWhenTheTransferDoes) {
  server.on("/a", respond(404));
  Seen seen;
  EXPECT_THROW(fetch(web, task(), memory, {.call = {.progress = &seen}}), Error);
  ASSERT_FALSE(seen.reports.empty());
  EXPECT_EQ(seen.reports.back().state, TransferState::failed);
  EXPECT_EQ(seen.reports.back().attempt, 1);
}

TEST_F(Fetch, ProgressOfAFailureSaysHowFarItCame) {
  server.on(
      "/a",
      script().bytes(std::string{kHead} + "Content-Length: 5000\r\n\r\n" + std::string(1000, 'x')).close());
  Seen seen;
  EXPECT_THROW(fetch(web, task(), memory, {.call = {.progress = &seen}}), Error);
  EXPECT_EQ(seen.reports.back().state, TransferState::failed);
  EXPECT_EQ(seen.reports.back().bytes_total, 5000u);
  EXPECT_GT(seen.reports.back().bytes_done, 0u);
  EXPECT_EQ(seen.reports.back().attempt, 3) << "two restarts";
}

TEST_F(Fetch, ProgressCountsResumes) {
  server.on("/a", script().serve({.size = 3'000'000, .reset_after = 1'200'000}));
  Seen seen;
  fetch(web, task(), memory, {.call = {.progress = &seen}});
  EXPECT_EQ(seen.reports.front().resumes, 0);
  EXPECT_GE(seen.reports.back().resumes, 2);
  EXPECT_EQ(seen.reports.back().attempt, 1);
}

TEST_F(Fetch, AProgressThatThrowsCancelsTheTransferAndReachesTheCaller) {
  struct Mine : std::runtime_error {
    using runtime_error::runtime_error;
  };
  struct Throws : Progress {
    void report(const ProgressReport& report) override {
      if (report.state == TransferState::verifying) throw Mine("enough");
    }
  } throws;
  server.on("/a", respond(200, {}, "hello"));
  EXPECT_THROW(fetch(web, task(), memory, {.call = {.progress = &throws}}), Mine);
  EXPECT_FALSE(memory.exists("in/a.csv"));
}

TEST_F(Fetch, ASecretNeverReachesTheLogTheResultOrTheObject) {
  server.on("/a", respond(500, {}, "oops"));
  server.on("/b", respond(200, {}, "fine"));
  for (const char* path : {"/a", "/b"}) {
    FileTask wanted = task(path);
    wanted.headers.add("Authorization", "Bearer canary");
    wanted.headers.add("X-Token", "canary");
    FileResult result = process(web, wanted, memory);
    EXPECT_EQ(result.error_message.find("canary"), std::string::npos);
    EXPECT_EQ(result.receipt.location.find("canary"), std::string::npos);
  }
  for (const auto& [name, value] : memory.head("in/a.csv").metadata)
    EXPECT_EQ(value.find("canary"), std::string::npos) << name;
  EXPECT_EQ(server.requests("/b").at(0).headers.get("x-token"), "canary");
  std::lock_guard lock{lines_mutex};
  for (const std::string& line : lines) EXPECT_EQ(line.find("canary"), std::string::npos) << line;
}

TEST_F(Fetch, AnEncodedBodyIsStoredAsSentAndSaysSo) {
  server.on("/a", respond(200, {{"Content-Encoding", "gzip"}}, "not really gzip"));
  fetch(web, task(), memory);
  EXPECT_EQ(content(memory, "in/a.csv"), "not really gzip");
  EXPECT_EQ(memory.head("in/a.csv").content_encoding, "gzip");
}

TEST_F(Fetch, AnEmptyBodyIsAnObjectOfNoBytes) {
  server.on("/a", respond(200, {}, ""));
  EXPECT_EQ(fetch(web, task(), folder).bytes, 0u);
  EXPECT_EQ(folder.head("in/a.csv").bytes, 0u);
}

}  // namespace
}  // namespace penstock::files
