#include "penstock/s3/copy.h"

#include <gtest/gtest.h>

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::Reply;
using namespace std::chrono_literals;

constexpr const char* kTags =
    "<Tagging><TagSet><Tag><Key>colour</Key><Value>red</Value></Tag></TagSet></Tagging>";
constexpr const char* kCopied = "<CopyObjectResult><ETag>\"copied\"</ETag></CopyObjectResult>";

bool is_copy(const Asked& asked) {
  return asked.request.headers.has("x-amz-copy-source");
}

// A bucket that copies: it says so, and `said` comes first. Nothing is kept of a copy.
class CopyTest : public ::testing::Test {
 protected:
  CopyTest() {
    put_source(5);
    bucket.instead = [this](const Asked& asked) -> std::optional<Reply> {
      if (said) {
        if (auto reply = said(asked)) return reply;
      }
      if (asked.query.contains("tagging")) return Reply{200, {}, kTags};
      return is_copy(asked) ? std::optional{Reply{200, {}, kCopied}} : std::nullopt;
    };
  }

  void put_source(std::uint64_t bytes) {
    bucket.put("from", {.body = {},
                        .bytes = bytes,
                        .etag = "\"v1\"",
                        .fields = {{"Content-Type", "text/csv"},
                                   {"x-amz-meta-page", "7"},
                                   {"x-amz-meta-penstock-token", "of the source"}}});
  }

  std::optional<Receipt> copy(const store::WriteOptions& options = {}, const Call& call = {},
                              const std::string& from = "from") {
    return copy_on_server(client, {.bucket = "bucket", .key = from}, "to", options, call);
  }

  std::vector<Asked> copies(const std::string& verb) const {
    std::vector<Asked> found = bucket.asked(verb);
    std::erase_if(found, [](const Asked& asked) { return !is_copy(asked); });
    return found;
  }

  void expect_nothing_open() {
    http->drain(Call{.deadline = Deadline::after(test::kPatience)});
    EXPECT_TRUE(bucket.uploads().empty());
    EXPECT_FALSE(bucket.objects().contains("to"));
  }

  // Before the bucket, whose threads use it to the end.
  std::function<std::optional<Reply>(const Asked&)> said;
  test::ScriptedBucket bucket;
  std::shared_ptr<http::Client> http = test::quick_client();
  std::shared_ptr<Client> client = std::make_shared<Client>(bucket.config(http));
};

TEST_F(CopyTest, ASmallObjectIsOneRequestHeldToTheVersionThatWasSeen) {
  const auto receipt = copy();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->etag, "\"copied\"");
  EXPECT_EQ(receipt->bytes, 5u);
  EXPECT_EQ(receipt->mode, "copy");
  const auto asked = copies("PutObject");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].request.headers.get("x-amz-copy-source-if-match"), "\"v1\"");
  EXPECT_EQ(asked[0].request.headers.get("x-amz-metadata-directive"), "REPLACE");
}

TEST_F(CopyTest, AttributesAreTheSourcesWhereNoneAreNamedButItsTokenIsNot) {
  store::WriteOptions options;
  options.cache_control = "no-store";
  copy(options);
  const http::Headers headers = copies("PutObject").at(0).request.headers;
  EXPECT_EQ(headers.get("content-type"), "text/csv");
  EXPECT_EQ(headers.get("x-amz-meta-page"), "7");
  EXPECT_EQ(headers.get("cache-control"), "no-store");
  EXPECT_NE(headers.get("x-amz-meta-penstock-token"), "of the source");
  EXPECT_FALSE(headers.get("x-amz-meta-penstock-token").empty());
}

TEST_F(CopyTest, WhatIsLargerThanAPartGoesInRangesOfOneVersionWithItsTags) {
  put_source(25_MiB);
  store::WriteOptions options;
  options.part_bytes = 10_MiB;
  const auto receipt = copy(options);
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->mode_reason, "by the server, in 3 parts");
  std::map<int, std::string> ranges;
  for (const Asked& part : copies("UploadPart")) {
    ranges[part.part] = part.request.headers.get("x-amz-copy-source-range");
    EXPECT_EQ(part.request.headers.get("x-amz-copy-source-if-match"), "\"v1\"");
  }
  EXPECT_EQ(ranges,
            (std::map<int, std::string>{
                {1, "bytes=0-10485759"}, {2, "bytes=10485760-20971519"}, {3, "bytes=20971520-26214399"}}));
  EXPECT_EQ(bucket.asked("CreateMultipartUpload").at(0).request.headers.get("x-amz-tagging"), "colour=red");
}

TEST_F(CopyTest, AConditionIsKeptByTheCompleteOfOnePart) {
  store::WriteOptions options;
  options.mode = store::Mode::create();
  ASSERT_TRUE(copy(options));
  ASSERT_EQ(copies("UploadPart").size(), 1u);
  EXPECT_FALSE(copies("UploadPart")[0].request.headers.has("x-amz-copy-source-range"));
  EXPECT_EQ(bucket.asked("CompleteMultipartUpload").at(0).request.headers.get("if-none-match"), "*");
  EXPECT_EQ(error_of([&] { copy(options); }).kind(), Kind::conflict);
}

TEST_F(CopyTest, WhatNeedsTheBytesOrAnEmptyPartIsLeftToThePut) {
  store::WriteOptions expecting;
  expecting.expected = {Digest::parse(Algorithm::crc32, "00000000")};
  EXPECT_EQ(copy(expecting), std::nullopt);
  put_source(0);
  store::WriteOptions creating;
  creating.mode = store::Mode::create();
  EXPECT_EQ(copy(creating), std::nullopt);
  EXPECT_TRUE(copies("PutObject").empty());
  EXPECT_TRUE(bucket.asked("CreateMultipartUpload").empty());
}

TEST_F(CopyTest, AMissingSourceAndOneOfAnotherLengthAreFoundOutBefore) {
  EXPECT_EQ(error_of([&] { copy({}, {}, "none"); }).kind(), Kind::missing);
  store::WriteOptions options;
  options.length = 6;
  const Error error = error_of([&] { copy(options); });
  EXPECT_EQ(error.kind(), Kind::corrupt);
  EXPECT_EQ(error.facts().expected, "6");
  EXPECT_EQ(error.facts().actual, "5");
  EXPECT_TRUE(copies("PutObject").empty());
}

TEST_F(CopyTest, ASourceThatChangesMeanwhileIsAConflictOfTheSource) {
  said = [](const Asked& asked) -> std::optional<Reply> {
    if (!is_copy(asked)) return std::nullopt;
    return Reply{412, {}, error_xml("PreconditionFailed")};
  };
  const Error error = error_of([&] { copy(); });
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(error.facts().code, code::kChanged);
  EXPECT_EQ(error.facts().side, Side::source);
}

TEST_F(CopyTest, AnErrorInsideA200IsOneAndLeavesNoUpload) {
  said = [](const Asked& asked) -> std::optional<Reply> {
    if (!is_copy(asked)) return std::nullopt;
    return Reply{200, {}, error_xml("AccessDenied")};
  };
  EXPECT_EQ(error_of([&] { copy(); }).kind(), Kind::denied);
  put_source(25_MiB);
  store::WriteOptions options;
  options.part_bytes = 10_MiB;
  const Error error = error_of([&] { copy(options); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_FALSE(error.facts().upload_id.empty());
  expect_nothing_open();
}

TEST_F(CopyTest, ACopyWhoseAnswerWasLostIsFoundByItsToken) {
  put_source(0);  // as large as the request that the bucket keeps as its copy
  said = [](const Asked& asked) -> std::optional<Reply> {
    if (!is_copy(asked) || asked.nth == 1) return std::nullopt;
    return Reply{412, {}, error_xml("PreconditionFailed")};  // it had replaced its own source, say
  };
  bucket.instead = [this](const Asked& asked) { return said(asked); };
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    return is_copy(asked) ? std::optional{Reply{.reset = true}} : std::nullopt;
  };
  const auto receipt = copy();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->etag, bucket.objects().at("to").etag);
  EXPECT_EQ(copies("PutObject").size(), 2u);
}

TEST_F(CopyTest, AStopBeforeTheAnswerIsInDoubt) {
  std::stop_source stop;
  bucket.early = [stop](test::Exchange& exchange) {
    if (!exchange.request().headers.has("x-amz-copy-source")) return;
    stop.request_stop();
    exchange.stall();
  };
  const Error error = error_of([&] { copy({}, {.stop = stop.get_token()}); });
  EXPECT_EQ(error.kind(), Kind::in_doubt);
  EXPECT_EQ(error.facts().subject, "s3://bucket/to");
}

TEST_F(CopyTest, ADeadlineEndsIt) {
  bucket.early = [](test::Exchange& exchange) { exchange.stall(); };
  EXPECT_EQ(error_of([&] { copy({}, {.deadline = Deadline::after(300ms)}); }).facts().code, code::kDeadline);
}

TEST_F(CopyTest, AStopWhilePartsAreCopiedLeavesNoUpload) {
  put_source(25_MiB);
  std::stop_source stop;
  said = [stop](const Asked& asked) -> std::optional<Reply> {
    if (is_copy(asked)) stop.request_stop();
    return std::nullopt;
  };
  store::WriteOptions options;
  options.part_bytes = 5_MiB;
  options.max_parts_in_flight = 1;
  EXPECT_EQ(error_of([&] { copy(options, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  expect_nothing_open();
}

TEST_F(CopyTest, ACopyThatIgnoredTheKeyIsTakenBack) {
  store::WriteOptions options;
  options.sse_customer_key = std::string(32, 'k');
  bucket.put("to", {.body = "plain", .bytes = 5, .etag = "\"copied\"", .fields = {}});
  const Error error = error_of([&] { copy(options); });
  EXPECT_EQ(error.facts().code, "not_encrypted");
  EXPECT_EQ(bucket.asked("DeleteObject").at(0).request.headers.get("if-match"), "\"copied\"");
  expect_nothing_open();
}

TEST_F(CopyTest, AServiceWithoutTagsHasNone) {
  said = [](const Asked&) { return Reply{501, {}, error_xml("NotImplemented")}; };
  EXPECT_TRUE(tags_of(*client, "from", {}, {}).empty());
  said = [](const Asked&) { return Reply{404, {}, error_xml("NoSuchTagSet")}; };
  EXPECT_TRUE(tags_of(*client, "from", {}, {}).empty());
  said = [](const Asked&) { return Reply{403, {}, error_xml("AccessDenied")}; };
  EXPECT_EQ(error_of([&] { tags_of(*client, "from", {}, {}); }).kind(), Kind::denied);
}

}  // namespace
}  // namespace penstock::s3
