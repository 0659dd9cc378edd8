#include "penstock/s3/sweep.h"

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

constexpr const char* kOld = "2020-01-01T00:00:00.000Z";
constexpr const char* kFuture = "2200-01-01T00:00:00.000Z";

std::string upload(const std::string& key, const std::string& id, const std::string& initiated) {
  return "<Upload><Key>" + key + "</Key><UploadId>" + id + "</UploadId><Initiated>" + initiated +
         "</Initiated></Upload>";
}

std::string page(const std::string& uploads) {
  return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" + uploads +
         "</ListMultipartUploadsResult>";
}

class SweepTest : public ::testing::Test {
 protected:
  SweepTest() {
    bucket.instead = [this](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb == "ListMultipartUploads") return Reply{200, {}, page(listed)};
      const auto reply = to_abort.find(asked.upload_id);
      if (asked.verb != "AbortMultipartUpload") return std::nullopt;
      return reply == to_abort.end() ? Reply{204} : reply->second;
    };
  }
  SweepReport swept(const SweepOptions& options = {.dry_run = false}, const Call& call = {}) {
    return sweep(*client, "raw/", options, call);
  }
  std::vector<std::string> aborted() const {
    std::vector<std::string> ids;
    for (const Asked& asked : bucket.asked("AbortMultipartUpload")) ids.push_back(asked.upload_id);
    return ids;
  }
  static Config rooted(Config config) {
    config.prefix = "raw/";
    return config;
  }

  // Before the bucket, whose threads use both to the end.
  std::string listed = upload("raw/a", "old", kOld) + upload("raw/b", "young", kFuture) +
                       upload("raw/c", "undated", "yesterday") + upload("elsewhere", "other", kOld);
  std::map<std::string, Reply> to_abort;
  test::ScriptedBucket bucket;
  std::shared_ptr<Client> client = std::make_shared<Client>(rooted(bucket.config(test::quick_client())));
};

TEST_F(SweepTest, WhatIsOldUnderThePrefixIsAbortedAndNothingElse) {
  const SweepReport report = swept();
  ASSERT_EQ(report.uploads.size(), 1u);
  EXPECT_EQ(report.uploads[0].key, "a");
  EXPECT_EQ(report.uploads[0].upload_id, "old");
  EXPECT_EQ(report.aborted, 1u);
  EXPECT_EQ(aborted(), std::vector<std::string>{"old"});
}

TEST_F(SweepTest, ADryRunOnlyLooks) {
  const SweepReport report = swept({});
  EXPECT_EQ(report.uploads.size(), 1u);
  EXPECT_EQ(report.aborted, 0u);
  EXPECT_TRUE(aborted().empty());
}

TEST_F(SweepTest, WhatThisStoreHasOpenIsNotStale) {
  client->endpoint().opened("old");
  EXPECT_TRUE(swept().uploads.empty());
  client->endpoint().closed("old");
  EXPECT_EQ(swept().uploads.size(), 1u);
}

TEST_F(SweepTest, OneThatIsGoneAlreadyIsASuccessButNotAMissingBucket) {
  to_abort["old"] = {404, {}, error_xml("NoSuchUpload")};
  EXPECT_EQ(swept().aborted, 1u);
  to_abort["old"] = {404, {}, error_xml("NoSuchBucket")};
  EXPECT_EQ(swept().errors.at("old").kind(), Kind::missing);
}

TEST_F(SweepTest, OneThatCannotBeAbortedDoesNotKeepTheOthers) {
  listed += upload("raw/d", "older", kOld);
  to_abort["old"] = {403, {}, error_xml("AccessDenied")};
  const SweepReport report = swept();
  EXPECT_EQ(report.aborted, 1u);
  EXPECT_EQ(report.uploads.size(), 2u);
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors.at("old").kind(), Kind::denied);
}

TEST_F(SweepTest, AStopEndsItBetweenTwo) {
  listed += upload("raw/d", "older", kOld);
  std::stop_source stop;
  bucket.early = [stop](test::Exchange& exchange) {
    if (exchange.request().method == "DELETE") stop.request_stop();
  };
  EXPECT_EQ(error_of([&] { swept({.dry_run = false}, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  EXPECT_LE(aborted().size(), 1u);
}

TEST_F(SweepTest, ADeadlineEndsTheListing) {
  bucket.early = [](test::Exchange& exchange) { exchange.stall(); };
  const Error error = error_of([&] { swept({}, {.deadline = Deadline::after(300ms)}); });
  EXPECT_EQ(error.facts().code, code::kDeadline);
}

TEST_F(SweepTest, AnyAgeIsTakenButANegativeOneIsRefused) {
  EXPECT_EQ(error_of([&] { swept({.older_than = -1s}); }).kind(), Kind::refused);
  EXPECT_TRUE(bucket.server().requests().empty());
  EXPECT_TRUE(swept({.older_than = std::chrono::seconds::max()}).uploads.empty());
}

}  // namespace
}  // namespace penstock::s3
