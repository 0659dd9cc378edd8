#include "penstock/s3/list.h"

#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::Reply;
using test::ScriptedBucket;
using Keys = std::vector<std::string>;

std::string page(const Keys& keys, const std::string& more = {}) {
  std::string xml = "<ListBucketResult>" + more;
  for (const std::string& key : keys) {
    xml += "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>e</ETag></Contents>";
  }
  return xml + "</ListBucketResult>";
}

const std::string kMore = "<IsTruncated>true</IsTruncated>";

class ListTest : public ::testing::Test {
 protected:
  void pages(std::vector<std::string> bodies) {
    bucket.instead = [bodies = std::move(bodies)](const Asked& asked) -> std::optional<Reply> {
      if (asked.verb != "ListObjects") return std::nullopt;
      return Reply{200, {}, bodies.at(std::min<std::size_t>(asked.nth - 1, bodies.size() - 1))};
    };
  }
  Keys keys(std::string_view prefix = {}, const store::ListOptions& options = {}) {
    Keys found;
    auto listing = store.list(prefix, options);
    while (auto meta = listing->next()) found.push_back(meta->key);
    return found;
  }

  ScriptedBucket bucket;
  S3Store store{bucket.config(test::quick_client())};
};

TEST_F(ListTest, GoesOnFromTokenToToken) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t+/1</NextContinuationToken>"), page({"c"})});
  EXPECT_EQ(keys(), (Keys{"a", "b", "c"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_EQ(asked.at(0).query.at("list-type"), "2");
  EXPECT_EQ(asked.at(0).query.at("encoding-type"), "url");
  EXPECT_EQ(asked.at(1).query.at("continuation-token"), "t+/1");
}

TEST_F(ListTest, IsLazy) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"), page({"c"})});
  auto listing = store.list();
  EXPECT_TRUE(bucket.asked("ListObjects").empty());
  listing->next();
  listing->next();
  EXPECT_EQ(bucket.asked("ListObjects").size(), 1u);
}

TEST_F(ListTest, ATruncatedPageWithoutATokenGoesOnAsVersionOne) {
  pages({page({"a", "b"}, kMore), page({"c", "d"}, kMore), page({"e"})});
  EXPECT_EQ(keys(), (Keys{"a", "b", "c", "d", "e"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_FALSE(asked.at(1).query.contains("list-type"));
  EXPECT_EQ(asked.at(1).query.at("marker"), "b");
  EXPECT_EQ(asked.at(2).query.at("marker"), "d");
}

TEST_F(ListTest, OneTokenForEverIsCorruptAndNoLoop) {
  pages({page({"a"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         page({"b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>")});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, RepeatedKeysAreCorrupt) {
  pages({page({"a", "b"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         page({"b", "c"}, kMore + "<NextContinuationToken>u</NextContinuationToken>")});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, NothingToGoOnFromIsCorrupt) {
  pages({page({}, kMore)});
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, EncodedKeysAreDecodedAndRawOnesAreNot) {
  pages({page({"a%20b%2Bc"}, "<EncodingType>url</EncodingType>")});
  EXPECT_EQ(keys(), Keys{"a b+c"});
  pages({page({"a%20b+c"})});
  EXPECT_EQ(keys(), Keys{"a%20b+c"});
}

TEST_F(ListTest, ThePrefixOfTheStoreIsJoinedAndTakenOff) {
  Config config = bucket.config(test::quick_client());
  config.prefix = "raw/";
  S3Store rooted{config};
  pages({page({"raw/2026/a"})});
  auto listing = rooted.list("2026/", {.start_after = "2026/0"});
  EXPECT_EQ(listing->next()->key, "2026/a");
  const auto query = bucket.asked("ListObjects").at(0).query;
  EXPECT_EQ(query.at("prefix"), "raw/2026/");
  EXPECT_EQ(query.at("start-after"), "raw/2026/0");
  pages({page({"elsewhere/a"})});
  EXPECT_EQ(error_of([&] { rooted.list()->next(); }).kind(), Kind::corrupt);
}

TEST_F(ListTest, AMissingBucketIsMissingAlsoWithoutABody) {
  bucket.instead = [](const Asked&) -> std::optional<Reply> { return Reply{404}; };
  EXPECT_EQ(error_of([&] { keys(); }).kind(), Kind::missing);
}

// Entries by delimiter; prefixes are marked.
class LevelTest : public ListTest {
 protected:
  static std::string level_page(const Keys& keys, const Keys& prefixes, const std::string& more = {}) {
    std::string rolled_up;
    for (const std::string& prefix : prefixes) {
      rolled_up += "<CommonPrefixes><Prefix>" + prefix + "</Prefix></CommonPrefixes>";
    }
    return page(keys, more + rolled_up);
  }
  Keys level(std::string_view prefix = {}) {
    Keys found;
    auto listing = store.list_with_delimiter(prefix, "/");
    while (auto meta = listing->next()) found.push_back(meta->key + (meta->is_prefix ? "*" : ""));
    return found;
  }
};

TEST_F(LevelTest, KeysAndPrefixesOfAPageComeInOneOrder) {
  pages({level_page({"a", "c", "d"}, {"b/", "c/", "e/"})});
  EXPECT_EQ(level(), (Keys{"a", "b/*", "c", "c/*", "d", "e/*"}));
  EXPECT_EQ(bucket.asked("ListObjects").at(0).query.at("delimiter"), "/");
}

TEST_F(LevelTest, APageOfPrefixesAloneIsAPage) {
  pages({level_page({}, {"a/", "b/"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         level_page({"c"}, {})});
  EXPECT_EQ(level(), (Keys{"a/*", "b/*", "c"}));
}

TEST_F(LevelTest, TruncatedWithoutATokenItGoesOnFromTheLastPrefix) {
  pages({level_page({"a"}, {"b/"}, kMore), level_page({}, {"c/"}, kMore + "<NextMarker>d/</NextMarker>"),
         level_page({"e"}, {})});
  EXPECT_EQ(level(), (Keys{"a", "b/*", "c/*", "e"}));
  const auto asked = bucket.asked("ListObjects");
  EXPECT_EQ(asked.at(1).query.at("marker"), "b/");
  EXPECT_EQ(asked.at(1).query.at("delimiter"), "/");
  EXPECT_EQ(asked.at(2).query.at("marker"), "d/");
}

TEST_F(LevelTest, RepeatedPrefixesAndThoseOfElsewhereAreCorrupt) {
  pages({level_page({}, {"a/"}, kMore + "<NextContinuationToken>t</NextContinuationToken>"),
         level_page({}, {"a/"})});
  EXPECT_EQ(error_of([&] { level(); }).kind(), Kind::corrupt);
  pages({level_page({}, {"b/"})});
  EXPECT_EQ(error_of([&] { level("a"); }).kind(), Kind::corrupt);
}

}  // namespace
}  // namespace penstock::s3
