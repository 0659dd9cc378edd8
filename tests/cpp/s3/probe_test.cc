#include "penstock/s3/probe.h"

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

bool is_conditional(const Asked& asked) {
  return asked.request.headers.has("if-none-match") || asked.request.headers.has("if-match");
}

class ProbeTest : public ::testing::Test {
 protected:
  // What was found of PutObject and of Complete.
  std::pair<Support, Support> probed(const Call& call = {}) {
    probe(client, call);
    const Capabilities& row = client->capabilities({});
    return {row.conditional_put, row.conditional_complete};
  }
  void drain() { http->drain(Call{.deadline = Deadline::after(test::kPatience)}); }
  void reply_to(const std::string& verb, Reply reply) {
    drain();  // an abort of the last probe may still be answered by what the bucket was told then
    bucket.instead = [=](const Asked& asked) -> std::optional<Reply> {
      return asked.verb == verb && is_conditional(asked) ? std::optional{reply} : std::nullopt;
    };
  }
  void expect_nothing_left() {
    drain();
    EXPECT_TRUE(bucket.objects().empty());
    EXPECT_TRUE(bucket.uploads().empty());
  }

  test::ScriptedBucket bucket;
  std::shared_ptr<http::Client> http = test::quick_client();
  std::shared_ptr<Client> client = std::make_shared<Client>(bucket.config(http, "other"));
};

TEST_F(ProbeTest, AServerThatKeepsConditionsIsFoundToAndNothingIsLeft) {
  EXPECT_EQ(probed(), std::pair(Support::yes, Support::yes));
  for (const Asked& asked : bucket.asked("PutObject")) EXPECT_TRUE(asked.key.starts_with(".penstock-probe-"));
  expect_nothing_left();
}

TEST_F(ProbeTest, AServerThatIgnoresThemIsFoundOut) {
  reply_to("PutObject", {200, {{"ETag", "\"e\""}}});
  EXPECT_EQ(probed(), std::pair(Support::no, Support::yes));
  reply_to("CompleteMultipartUpload",
           {200, {}, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"});
  EXPECT_EQ(probed(), std::pair(Support::yes, Support::no));
}

TEST_F(ProbeTest, AServerThatKnowsNoConditionsIsFoundOutAndNothingIsLeft) {
  reply_to("PutObject", {501, {}, error_xml("NotImplemented")});
  EXPECT_EQ(probed(), std::pair(Support::no, Support::yes));
  reply_to("CompleteMultipartUpload", {400, {}, error_xml("InvalidArgument")});
  EXPECT_EQ(probed(), std::pair(Support::yes, Support::no));
  expect_nothing_left();
}

TEST_F(ProbeTest, OneThatComparesNoETagHonoursOnlyHalfAndThatIsNo) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "PutObject" || !asked.request.headers.has("if-match")) return std::nullopt;
    return Reply{200, {{"ETag", "\"e\""}}};
  };
  EXPECT_EQ(probed().first, Support::no);
}

TEST_F(ProbeTest, WithoutTheRightToWriteNothingIsFound) {
  reply_to("PutObject", {403, {}, error_xml("AccessDenied")});
  EXPECT_EQ(error_of([&] { probed(); }).kind(), Kind::denied);
  EXPECT_EQ(client->capabilities({}).conditional_put, Support::unknown);
  expect_nothing_left();
}

TEST_F(ProbeTest, AConditionThatFailsOnALostTryOfOursIsNoVerdict) {
  bucket.afterwards = [](const Asked& asked, const Reply&) -> std::optional<Reply> {
    return asked.verb == "PutObject" && asked.nth == 1 ? std::optional{Reply{.reset = true}} : std::nullopt;
  };
  EXPECT_EQ(error_of([&] { probed(); }).kind(), Kind::lost);
  EXPECT_EQ(client->capabilities({}).conditional_put, Support::unknown);
  expect_nothing_left();
}

TEST_F(ProbeTest, ADeadlineEndsItAndNothingIsLeft) {
  bucket.early = [](test::Exchange& exchange) {
    if (exchange.request().method == "PUT") exchange.stall();
  };
  reply_to("PutObject", {.reset = true});
  const Error error = error_of([&] { probed({.deadline = Deadline::after(300ms)}); });
  EXPECT_EQ(error.facts().code, code::kDeadline) << error.what();
  expect_nothing_left();
}

TEST_F(ProbeTest, AStopEndsItAndNothingIsLeft) {
  std::stop_source stop;
  bucket.instead = [stop](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "UploadPart") stop.request_stop();
    return std::nullopt;
  };
  EXPECT_EQ(error_of([&] { probed({.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  expect_nothing_left();
}

}  // namespace
}  // namespace penstock::s3
