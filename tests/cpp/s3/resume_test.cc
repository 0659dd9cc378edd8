#include "penstock/s3/resume.h"

#include <gtest/gtest.h>

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::Reply;
using namespace std::chrono_literals;

std::string part(int number, std::uint64_t bytes, const std::string& more = {}) {
  return "<Part><PartNumber>" + std::to_string(number) + "</PartNumber><ETag>e" + std::to_string(number) +
         "</ETag><Size>" + std::to_string(bytes) + "</Size>" + more + "</Part>";
}

std::string page(const std::string& content, int next = 0) {
  const std::string more = next == 0 ? "<IsTruncated>false</IsTruncated>"
                                     : "<IsTruncated>true</IsTruncated><NextPartNumberMarker>" +
                                           std::to_string(next) + "</NextPartNumberMarker>";
  return "<ListPartsResult>" + more + content + "</ListPartsResult>";
}

class ResumeTest : public ::testing::Test {
 protected:
  void pages(std::vector<std::string> bodies) {
    bucket.instead = [bodies = std::move(bodies)](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "ListParts") return std::nullopt;
      return Reply{200, {}, bodies.at(std::min<std::size_t>(asked.nth - 1, bodies.size() - 1))};
    };
  }
  Resumed found(const Call& call = {}) { return look_up(*client, state, {}, call); }
  std::optional<Receipt> published(const store::WriteOptions& options = {}) {
    return published_by(*client, state, options, {});
  }
  void put_published(const std::string& token) {
    bucket.put("k", {.body = {},
                     .bytes = 12,
                     .etag = "\"there\"",
                     .fields = {{"x-amz-meta-penstock-token", token},
                                {"x-amz-checksum-crc32", "AAAAAA=="},
                                {"x-amz-checksum-type", "FULL_OBJECT"}}});
  }

  test::ScriptedBucket bucket;
  std::shared_ptr<Client> client = std::make_shared<Client>(bucket.config(test::quick_client()));
  UploadState state{.bucket = "bucket", .key = "k", .upload_id = "u", .token = "ours"};
};

TEST_F(ResumeTest, PartsAreReadPageByPage) {
  pages({page(part(1, 5) + part(2, 6), 2), page(part(3, 7))});
  const Resumed resumed = found();
  ASSERT_EQ(resumed.parts.size(), 3u);
  EXPECT_EQ(resumed.parts.at(3).bytes, 7u);
  const auto asked = bucket.asked("ListParts");
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].query.at("part-number-marker"), "2");
}

TEST_F(ResumeTest, AListingThatRepeatsItsMarkerIsCorruptAndNoLoop) {
  pages({page(part(1, 5), 1), page(part(2, 5), 1)});
  EXPECT_EQ(error_of([&] { found(); }).kind(), Kind::corrupt);
}

TEST_F(ResumeTest, AnUploadThatIsGoneIsMissing) {
  const Error error = error_of([&] { found(); });
  EXPECT_EQ(error.kind(), Kind::missing);
  EXPECT_EQ(error.facts().code, "NoSuchUpload");
}

TEST_F(ResumeTest, ADeadlineEndsTheListing) {
  bucket.early = [](test::Exchange& exchange) { exchange.stall(); };
  EXPECT_EQ(error_of([&] { found({.deadline = Deadline::after(300ms)}); }).facts().code, code::kDeadline);
}

TEST_F(ResumeTest, TheChecksumIsTheServersElseThePartsElseTheOneWrittenDown) {
  state.checksum = "CRC32";
  pages({page(part(1, 5))});
  EXPECT_EQ(found().checksum, Algorithm::crc32);
  pages({page("<ChecksumAlgorithm>null</ChecksumAlgorithm>" +
              part(1, 5, "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>"))});
  EXPECT_EQ(found().checksum, Algorithm::crc32c);
  pages({page("<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>" +
              part(1, 5, "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>"))});
  EXPECT_EQ(found().checksum, Algorithm::crc64nvme);
}

TEST_F(ResumeTest, AChecksumThatCannotBeCombinedIsRefused) {
  pages({page("<ChecksumAlgorithm>SHA256</ChecksumAlgorithm>" + part(1, 5))});
  const Error error = error_of([&] { found(); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().upload_id, "u");
}

TEST_F(ResumeTest, AnothersCrc32IsOfThePartsUnlessItSaysOtherwise) {
  const std::string crc = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>";
  pages({page(crc + part(1, 5))});
  EXPECT_FALSE(found().composite) << "ours is of the whole";
  state.token.clear();
  EXPECT_TRUE(found().composite);
  pages({page(crc + "<ChecksumType>FULL_OBJECT</ChecksumType>" + part(1, 5))});
  EXPECT_FALSE(found().composite);
}

TEST_F(ResumeTest, WhatTheUploadBecameIsKnownByItsToken) {
  put_published("ours");
  const auto receipt = published();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->bytes, 12u);
  EXPECT_EQ(receipt->etag, "\"there\"");
  EXPECT_EQ(receipt->mode_reason, "it was complete already");
}

TEST_F(ResumeTest, AnotherObjectOrNoneOrOneOfAnotherProgramIsNotIt) {
  EXPECT_EQ(published(), std::nullopt);
  put_published("theirs");
  EXPECT_EQ(published(), std::nullopt);
  bucket.forget_asked();
  state.token.clear();
  EXPECT_EQ(published(), std::nullopt);
  EXPECT_TRUE(bucket.asked("HeadObject").empty());
}

TEST_F(ResumeTest, WhatIsCompleteAlreadyIsComparedToo) {
  put_published("ours");
  state.length = 13;
  EXPECT_EQ(error_of([&] { published(); }).kind(), Kind::corrupt);
  state.length = 12;
  store::WriteOptions options;
  options.expected = {Digest::parse(Algorithm::crc32, "00000001")};
  EXPECT_EQ(error_of([&] { published(options); }).kind(), Kind::corrupt);
  options.expected = {Digest::parse(Algorithm::crc32, "00000000")};
  EXPECT_TRUE(published(options));
  options.expected = {Digest::parse(Algorithm::md5, std::string(32, '0'))};
  EXPECT_EQ(error_of([&] { published(options); }).kind(), Kind::refused);
}

TEST_F(ResumeTest, PartsGoOnInTheSizeOfThoseThatAreThere) {
  Resumed resumed;
  EXPECT_EQ(resumed_options(*client, state, resumed, {}).part_bytes, client->config().part_bytes);
  resumed.parts[1] = {.number = 1, .bytes = 9_MiB, .etag = "e"};
  resumed.parts[2] = {.number = 2, .bytes = 1_MiB, .etag = "e"};
  EXPECT_EQ(resumed_options(*client, state, resumed, {}).part_bytes, 9_MiB);
  resumed.parts[1].bytes = 1_MiB;
  EXPECT_EQ(resumed_options(*client, state, resumed, {}).part_bytes, 5_MiB) << "what every provider takes";
  state.part_bytes = 7_MiB;
  EXPECT_EQ(resumed_options(*client, state, resumed, {}).part_bytes, 7_MiB);
}

TEST_F(ResumeTest, AShortLastPartMayHaveBeenTheEndAndIsPlannedAnew) {
  Resumed resumed;
  resumed.parts[1] = {.number = 1, .bytes = 6_MiB, .etag = "e"};
  resumed.parts[2] = {.number = 2, .bytes = 5_MiB, .etag = "e"};
  PartPlan plan{provider_row("minio"), 8_MiB, std::nullopt, std::nullopt};
  fix_sizes(plan, resumed);
  EXPECT_EQ(plan.size_of(1), 6_MiB);
  EXPECT_EQ(plan.size_of(2), 8_MiB);
}

}  // namespace
}  // namespace penstock::s3
