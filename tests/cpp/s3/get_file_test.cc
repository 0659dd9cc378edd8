#include "penstock/s3/get_file.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "penstock/streams/hash.h"
#include "penstock/streams/told_transfer.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::error_xml;
using test::Reply;
using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 20_MiB;  // three ranges
constexpr const char* kETag = "\"first\"";

// A bucket that gives ranges of one object; `said` comes first.
class GetFileTest : public ::testing::Test {
 protected:
  GetFileTest() {
    put_object({});
    bucket.instead = [this](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "GetObject") return std::nullopt;
      if (said) {
        if (auto reply = said(asked)) return reply;
      }
      return range(asked);
    };
  }

  void put_object(test::Fields fields, std::uint64_t bytes = kBytes) {
    bucket.put("k", {.body = {}, .bytes = bytes, .etag = kETag, .fields = std::move(fields)});
  }

  static std::uint64_t first_of(const Asked& asked) {
    const std::string_view range = asked.request.headers.get("range");  // bytes=8388608-16777215
    return std::stoull(std::string{range.substr(range.find('=') + 1)});
  }

  Reply range(const Asked& asked, const std::string& etag = kETag) const {
    const std::string_view range = asked.request.headers.get("range");
    const std::uint64_t first = first_of(asked);
    const std::uint64_t last = std::stoull(std::string{range.substr(range.find('-') + 1)});
    const std::string span = std::to_string(first) + "-" + std::to_string(last);
    return {206,
            {{"ETag", etag}, {"Content-Range", "bytes " + span + "/" + std::to_string(kBytes)}},
            content.substr(first, last - first + 1)};
  }

  std::optional<Receipt> get(const store::FileOptions& options = {}, const Call& call = {}) {
    ToldTransfer told{call.progress};
    Call telling = call;
    telling.progress = told.for_call();
    return get_file_in_lanes(client, "k", folder / "file", options, telling, told);
  }

  void expect_no_file() { EXPECT_TRUE(folder.names().empty()); }
  void expect_changed() {
    const Error error = error_of([&] { get(); });
    EXPECT_EQ(error.kind(), Kind::conflict);
    EXPECT_EQ(error.facts().code, code::kChanged);
    expect_no_file();
  }

  const std::string content = test::pattern(0, kBytes);
  test::TemporaryFolder folder;
  // Before the bucket, whose threads use it to the end.
  std::function<std::optional<Reply>(const Asked&)> said;
  test::ScriptedBucket bucket;
  std::shared_ptr<Client> client = std::make_shared<Client>(bucket.config(test::quick_client()));
};

std::string crc32_of(std::string_view bytes) {
  Hasher hasher{Algorithm::crc32};
  hasher.update(as_bytes(bytes));
  return hasher.digest().base64();
}

TEST_F(GetFileTest, AnObjectComesInRangesHeldToTheVersionThatWasSeen) {
  const auto receipt = get();
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->bytes, kBytes);
  EXPECT_EQ(receipt->etag, kETag);
  EXPECT_EQ(receipt->mode_reason, "3 lanes");
  EXPECT_TRUE(test::read_file(folder / "file") == content);
  std::vector<std::uint64_t> firsts;
  for (const Asked& asked : bucket.asked("GetObject")) {
    EXPECT_EQ(asked.request.headers.get("if-match"), kETag);
    firsts.push_back(first_of(asked));
  }
  std::ranges::sort(firsts);
  EXPECT_EQ(firsts, (std::vector<std::uint64_t>{0, 8_MiB, 16_MiB}));
}

TEST_F(GetFileTest, WhereOneStreamDoesAsWellNothingIsDone) {
  EXPECT_EQ(get({.lanes = 1}), std::nullopt);
  put_object({}, 8_MiB);
  EXPECT_EQ(get(), std::nullopt);
  put_object({{"x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}});
  EXPECT_EQ(get(), std::nullopt) << "a SHA-256 is not combined out of those of ranges";
  EXPECT_EQ(error_of([&] { get({.lanes = 0}); }).kind(), Kind::refused);
  EXPECT_TRUE(bucket.asked("GetObject").empty());
  expect_no_file();
}

TEST_F(GetFileTest, TheChecksumsOfTheRangesAreCombinedAndCompared) {
  put_object({{"x-amz-checksum-crc32", crc32_of(content)}});
  EXPECT_TRUE(get());
  EXPECT_EQ(bucket.asked("GetObject").size(), 3u);
}

TEST_F(GetFileTest, WhatDiffersIsReadOnceMoreWhole) {
  put_object({{"x-amz-checksum-crc32", crc32_of(content)}});
  said = [this](const Asked& asked) -> std::optional<Reply> {
    if (asked.nth > 3) return std::nullopt;
    Reply reply = range(asked);
    reply.body[0] ^= 1;
    return reply;
  };
  EXPECT_TRUE(get());
  EXPECT_EQ(bucket.asked("GetObject").size(), 6u);
  EXPECT_TRUE(test::read_file(folder / "file") == content);
}

TEST_F(GetFileTest, WhatDiffersTwiceIsCorruptAndNoFile) {
  put_object({{"x-amz-checksum-crc32", "AAAAAA=="}});
  const Error error = error_of([&] { get(); });
  EXPECT_EQ(error.kind(), Kind::corrupt);
  EXPECT_EQ(error.facts().side, Side::source);
  EXPECT_EQ(error.facts().expected, "00000000");
  expect_no_file();
}

TEST_F(GetFileTest, AnObjectReplacedMeanwhileIsAConflictAndNoFile) {
  said = [](const Asked& asked) -> std::optional<Reply> {
    if (first_of(asked) != 8_MiB) return std::nullopt;
    return Reply{412, {}, error_xml("PreconditionFailed")};
  };
  expect_changed();
}

TEST_F(GetFileTest, SoItIsWhereTheServerIgnoresTheCondition) {
  said = [this](const Asked& asked) -> std::optional<Reply> {
    if (first_of(asked) != 8_MiB) return std::nullopt;
    return range(asked, "\"second\"");
  };
  expect_changed();
}

TEST_F(GetFileTest, TheFirstFailureStopsTheOtherLanes) {
  bucket.early = [never = test::Gate{}](test::Exchange& exchange) {
    if (exchange.request().headers.get("range").starts_with("bytes=0-")) exchange.wait(never);
  };
  said = [](const Asked&) { return Reply{403, {}, error_xml("AccessDenied")}; };
  EXPECT_EQ(error_of([&] { get(); }).kind(), Kind::denied);
  expect_no_file();
}

TEST_F(GetFileTest, AStopEndsAllLanes) {
  std::stop_source stop;
  said = [stop](const Asked&) -> std::optional<Reply> {
    stop.request_stop();
    return std::nullopt;
  };
  EXPECT_EQ(error_of([&] { get({}, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  expect_no_file();
}

TEST_F(GetFileTest, ADeadlineEndsAllLanes) {
  bucket.early = [](test::Exchange& exchange) {
    if (exchange.request().method == "GET") exchange.stall();
  };
  const Error error = error_of([&] { get({}, {.deadline = Deadline::after(300ms)}); });
  EXPECT_EQ(error.facts().code, code::kDeadline);
  expect_no_file();
}

TEST_F(GetFileTest, AFileThatIsThereIsFoundOutBeforeAByte) {
  test::write_file(folder / "file", "mine");
  EXPECT_EQ(error_of([&] { get({.create = true}); }).kind(), Kind::conflict);
  EXPECT_TRUE(bucket.asked("GetObject").empty());
  EXPECT_EQ(test::read_file(folder / "file"), "mine");
  EXPECT_TRUE(get());
  EXPECT_TRUE(test::read_file(folder / "file") == content);
}

}  // namespace
}  // namespace penstock::s3
