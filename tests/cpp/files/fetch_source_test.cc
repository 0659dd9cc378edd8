// A source that is cut, lies about its frame, or changes.
#include "files/fetching.h"

namespace penstock::files {
namespace {

using test::error_of;
using test::pattern;
using test::respond;
using test::script;

TEST_F(Fetch, ABodyShortByAnyNumberOfBytesIsNeverASuccess) {
  const std::string body = pattern(0, 40);
  for (std::size_t cut = 0; cut < body.size(); cut += 3) {
    server.on(
        "/a",
        script().bytes(std::string{kHead} + "Content-Length: 40\r\n\r\n" + body.substr(0, cut)).close());
    FileResult result = fails(task());
    EXPECT_EQ(result.error_code, "DOWNLOAD_FAILED") << cut << ": " << result.error_message;
    EXPECT_TRUE(result.retryable);
  }
}

TEST_F(Fetch, ChunksWithoutTheirEndAreNeverASuccess) {
  const std::string body = "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n";
  // RFC 9112 section 8: complete is what has its chunk of size 0, so only the very last CR and LF may be
  // missing.
  for (std::size_t cut = 0; cut <= body.size() - 3; ++cut) {
    server.on("/a",
              script()
                  .bytes(std::string{kHead} + "Transfer-Encoding: chunked\r\n\r\n" + body.substr(0, cut))
                  .close());
    EXPECT_EQ(fails(task()).error_code, "DOWNLOAD_FAILED") << cut;
  }
}

TEST_F(Fetch, AnUnframedBodyIsRefusedUnlessSomethingElseWouldTellACut) {
  server.on("/a", script().bytes(std::string{kHead} + "Connection: close\r\n\r\nhello").close());
  Error error = error_of([&] { fetch(web, task(), memory); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, penstock::code::kUnframed);
  FileTask allowed = task(), counted = task(), hashed = task();
  allowed.allow_unframed = true;
  counted.expected_bytes = 5;
  hashed.checksum = "md5:5d41402abc4b2a76b9719d911017c592";
  for (const FileTask& wanted : {allowed, counted, hashed}) EXPECT_EQ(fetch(web, wanted, memory).bytes, 5u);
  counted.expected_bytes = 6;
  EXPECT_EQ(fails(counted).error_message, "File size mismatch. Expected: 6, Actual: 5");
}

TEST_F(Fetch, TwoDifferentLengthsAreCorrupt) {
  server.on(
      "/a",
      script().bytes(std::string{kHead} + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!").close());
  FileResult result = fails(task());
  EXPECT_EQ(result.error_kind, Kind::corrupt) << result.error_message;
  EXPECT_EQ(result.error_code, "DOWNLOAD_FAILED");
}

TEST_F(Fetch, ABrokenBodyWithAStrongETagIsResumedAndByteExact) {
  server.on("/a", script().serve({.size = 3'000'000, .reset_after = 1'200'000}));
  FileTask wanted = task();
  wanted.checksum = "sha256:" + sha256(pattern(0, 3'000'000));
  Receipt receipt = fetch(web, wanted, memory);
  EXPECT_EQ(receipt.bytes, 3'000'000u);
  EXPECT_GE(receipt.resumes, 2);
  EXPECT_EQ(receipt.restarts, 0);
}

TEST_F(Fetch, AnOriginThatChangesMidWayIsFetchedAnewAndNeverMixed) {
  const std::string second(90'000, 's');
  auto broken = script()
                    .bytes(std::string{kHead} + "ETag: \"one\"\r\nContent-Length: 90000\r\n\r\n" +
                           std::string(50'000, 'f'))
                    .reset();
  auto whole = respond(200, {{"ETag", "\"two\""}}, second);
  server.on("/a", {broken, whole});
  Receipt receipt = fetch(web, task(), memory);
  EXPECT_EQ(content(memory, "in/a.csv"), second);
  EXPECT_EQ(receipt.restarts, 1);
}

TEST_F(Fetch, AnOriginThatKeepsChangingEndsAfterTwoRestarts) {
  std::vector<test::Script> scripts;
  for (int version = 0; version < 12; ++version) {
    scripts.push_back(script()
                          .bytes(std::string{kHead} + "ETag: \"" + std::to_string(version) +
                                 "\"\r\nContent-Length: 90000\r\n\r\n" + std::string(50'000, 'f'))
                          .reset());
  }
  server.on("/a", scripts);
  memory.put("in/a.csv", as_bytes("former"));
  FileResult result = process(web, task(), memory);
  EXPECT_EQ(result.error_code, "DOWNLOAD_FAILED") << result.error_message;
  EXPECT_TRUE(result.retryable);
  EXPECT_EQ(content(memory, "in/a.csv"), "former");
  EXPECT_LE(server.requests("/a").size(), 3u * 2u);  // 3 tries of a GET and the resume that finds the change
}
}  // namespace
}  // namespace penstock::files
