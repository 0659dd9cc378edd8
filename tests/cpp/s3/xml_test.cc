#include "penstock/s3/xml.h"

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::error_of;

std::string listing(const std::string& inside) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
         inside + "</ListBucketResult>";
}

std::string entry(const std::string& key) {
  return "<Contents><Key>" + key +
         "</Key><LastModified>2026-11-21T14:48:01.250Z</LastModified><ETag>&quot;e&quot;</ETag>"
         "<Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>";
}

TEST(Xml, AListingIsRead) {
  const ObjectPage page = parse_objects(
      listing("<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>" +
              entry("a") + entry("b")));
  ASSERT_EQ(page.objects.size(), 2u);
  EXPECT_EQ(page.objects[0].key, "a");
  EXPECT_EQ(page.objects[0].etag, "\"e\"");
  EXPECT_EQ(page.objects[0].bytes, 7u);
  EXPECT_EQ(page.objects[0].last_modified, WallTime{std::chrono::seconds{1795272481}});
  EXPECT_TRUE(page.truncated);
  EXPECT_EQ(page.next_token, "t+/=");
}

TEST(Xml, KeysAreDecodedOnlyWhereTheAnswerSaysSo) {
  const std::string key = entry("a+b%2Bc%20d");
  EXPECT_EQ(parse_objects(listing(key)).objects[0].key, "a+b%2Bc%20d");
  const std::string said =
      "<EncodingType>url</EncodingType><NextContinuationToken>a+b%2B</NextContinuationToken>";
  const ObjectPage page = parse_objects(listing(said + key));
  EXPECT_EQ(page.objects[0].key, "a b+c d");
  EXPECT_EQ(page.next_token, "a+b%2B") << "the token is never decoded";
}

TEST(Xml, WhiteSpaceKeysAndReferencesAreKept) {
  EXPECT_EQ(parse_objects(listing(entry(" "))).objects[0].key, " ");
  EXPECT_EQ(parse_objects(listing(entry("&#13;&#10;&#9;"))).objects[0].key, "\r\n\t");
  EXPECT_EQ(parse_objects(listing(entry("a<!-- x -->b<![CDATA[<&]]>"))).objects[0].key, "ab<&");
}

TEST(Xml, WhatIsNoSuchDocumentIsCorrupt) {
  const std::string bad[] = {"",
                             "not xml",
                             "<ListBucketResult>",
                             "<Error><Code>X</Code></Error>",
                             listing("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
                             listing("<Contents><Key>a</Key><Size>12x</Size></Contents>"),
                             listing("<Contents><Key>a</Key></Contents>"),
                             listing("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>")};
  for (const std::string& xml : bad) {
    EXPECT_EQ(error_of([&] { parse_objects(xml); }).kind(), Kind::corrupt) << xml;
  }
  EXPECT_EQ(error_of([] { parse_upload_id("<InitiateMultipartUploadResult/>"); }).kind(), Kind::corrupt);
}

TEST(Xml, AFloodOfElementsIsCorruptBeforeItIsParsed) {
  std::string flood;
  for (int i = 0; i < 200'001; ++i) flood += "<a/>";
  EXPECT_EQ(error_of([&] { parse_objects(listing(flood)); }).kind(), Kind::corrupt);
}

TEST(Xml, DeepNestingIsNoTrouble) {
  std::string open, close;
  for (int i = 0; i < 50'000; ++i) open += "<a>", close += "</a>";
  EXPECT_TRUE(parse_objects(listing(open + close)).objects.empty());
}

TEST(Xml, EntitiesAreNotExpanded) {
  const std::string bomb =
      "<!DOCTYPE l [<!ENTITY a \"aaaa\">]><ListBucketResult>" + entry("&a;") + "</ListBucketResult>";
  EXPECT_EQ(parse_objects(bomb).objects[0].key, "&a;");
}

TEST(Xml, PartsUploadsAndResultsAreRead) {
  const PartPage parts = parse_parts(
      "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker><Part>"
      "<PartNumber>2</PartNumber><ETag>opaque</ETag><Size>5</Size><ChecksumCRC64NVME>AAAAAAAAAAA=</"
      "ChecksumCRC64NVME>"
      "</Part></ListPartsResult>");
  EXPECT_EQ(parts.parts.at(0).etag, "opaque");
  EXPECT_EQ(parts.next_marker, 2);
  const UploadPage uploads = parse_uploads(
      "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</"
      "UploadId><Initiated>2026-01-01T00:00:00Z</Initiated>"
      "</Upload></ListMultipartUploadsResult>");
  EXPECT_EQ(uploads.uploads.at(0).upload_id, "u");
  EXPECT_EQ(parse_complete(
                "\n \n<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>")
                .etag,
            "\"e-2\"");
  const auto failures = parse_delete(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>InternalError</Code></Error></"
      "DeleteResult>");
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].key, "b");
}

TEST(Xml, BodiesCarryAnyKeyTheyCanAndETagsVerbatim) {
  const std::vector<std::string> keys{"a&b<c>", "\r\n\t"};
  EXPECT_NE(delete_body(keys).find("<Key>a&amp;b&lt;c&gt;</Key>"), std::string::npos);
  EXPECT_NE(delete_body(keys).find("<Key>&#13;&#10;&#9;</Key>"), std::string::npos);
  EXPECT_TRUE(xml_can_carry("\r\n\t\xC3\xBC"));
  EXPECT_FALSE(xml_can_carry("a\x01"));
  EXPECT_FALSE(xml_can_carry("\xEF\xBF\xBF"));
  const std::vector<CompletedPart> parts{{1, "\"quoted\""}, {2, "unquoted"}};
  EXPECT_NE(complete_body(parts).find("<Part><ETag>\"quoted\"</ETag><PartNumber>1</PartNumber></Part>"
                                      "<Part><ETag>unquoted</ETag><PartNumber>2</PartNumber></Part>"),
            std::string::npos);
}

}  // namespace
}  // namespace penstock::s3
