#include "penstock/s3/remove_many.h"

#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"

#include "s3/scripted_bucket.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_xml;
using test::Reply;
using Keys = std::vector<std::string>;

class RemoveManyTest : public ::testing::Test {
 protected:
  test::ScriptedBucket bucket;
  S3Store store{bucket.config(test::quick_client())};
};

TEST_F(RemoveManyTest, NoKeysNoRequest) {
  EXPECT_EQ(store.remove_many({}).removed, 0u);
  EXPECT_TRUE(bucket.server().requests().empty());
}

TEST_F(RemoveManyTest, AThousandARequestWithMd5) {
  Keys many;
  for (int i = 0; i < 2500; ++i) many.push_back("k" + std::to_string(i));
  EXPECT_EQ(store.remove_many(many).removed, 2500u);
  const auto asked = bucket.asked("DeleteObjects");
  ASSERT_EQ(asked.size(), 3u);
  for (const Asked& one : asked) EXPECT_EQ(one.request.headers.get("content-md5").size(), 24u);
}

TEST_F(RemoveManyTest, OnlyWhatMayWorkLaterIsSentAgain) {
  std::vector<std::string> bodies;
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    bodies.push_back(asked.request.body);
    if (asked.nth > 1) return std::nullopt;
    return Reply{200,
                 {},
                 "<DeleteResult><Error><Key>b</Key><Code>InternalError</Code></Error>"
                 "<Error><Key>c</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b", "c"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 2u);
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors.at("c").kind(), Kind::denied);
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_NE(bodies[1].find("<Key>b</Key>"), std::string::npos);
  EXPECT_EQ(bodies[1].find("<Key>a</Key>"), std::string::npos);
  EXPECT_EQ(bodies[1].find("<Key>c</Key>"), std::string::npos);
}

TEST_F(RemoveManyTest, ARequestThatFailsIsTheErrorOfItsKeys) {
  bucket.instead = [](const Asked&) -> std::optional<Reply> {
    return Reply{403, {}, error_xml("AccessDenied")};
  };
  const Keys wanted{"a", "b"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_EQ(report.errors.at("a").kind(), Kind::denied);
  EXPECT_EQ(report.errors.at("b").kind(), Kind::denied);
}

TEST_F(RemoveManyTest, AnAnswerAboutKeysThatWereNotAskedForIsCorruptAndNoneOfThemIsRemoved) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.nth > 1) return std::nullopt;
    return Reply{
        200, {}, "<DeleteResult><Error><Key>precious</Key><Code>InternalError</Code></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 0u);
  EXPECT_EQ(report.errors.at("a").kind(), Kind::corrupt);
  EXPECT_EQ(report.errors.at("b").kind(), Kind::corrupt);
  EXPECT_EQ(bucket.asked("DeleteObjects").size(), 1u);
}

TEST_F(RemoveManyTest, WhatIsNotThereIsRemoved) {
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb == "DeleteObject") return Reply{404};
    return Reply{200, {}, "<DeleteResult><Error><Key>a</Key><Code>NoSuchKey</Code></Error></DeleteResult>"};
  };
  const Keys wanted{"a", "b", "c\x01"};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 3u);
  EXPECT_TRUE(report.errors.empty());
}

TEST_F(RemoveManyTest, KeysThatXmlCannotCarryGoOneByOne) {
  const Keys wanted{"a", "b\x01", "\r\n", ""};
  const store::RemoveReport report = store.remove_many(wanted);
  EXPECT_EQ(report.removed, 3u);
  EXPECT_EQ(report.errors.at("").kind(), Kind::refused);
  ASSERT_EQ(bucket.asked("DeleteObject").size(), 1u);
  EXPECT_EQ(bucket.asked("DeleteObject").at(0).key, "b\x01");
}

}  // namespace
}  // namespace penstock::s3
