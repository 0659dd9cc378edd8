#include "penstock/s3/attributes.h"

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::error_of;

const Capabilities& row() {
  return provider_row("aws");
}

TEST(Attributes, AreWrittenAsHeaders) {
  const http::Headers headers = attribute_headers({.content_type = "text/csv",
                                                   .metadata = {{"taskId", "7"}},
                                                   .tags = {{"a b", "c&d"}},
                                                   .storage_class = "STANDARD_IA",
                                                   .sse = "aws:kms",
                                                   .kms_key_id = "key"},
                                                  row(), "the-token");
  EXPECT_EQ(headers.get("content-type"), "text/csv");
  EXPECT_EQ(headers.get("x-amz-meta-taskid"), "7");
  EXPECT_EQ(headers.get("x-amz-tagging"), "a%20b=c%26d");
  EXPECT_EQ(headers.get("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(headers.get("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(headers.get("x-amz-server-side-encryption-aws-kms-key-id"), "key");
  EXPECT_EQ(headers.get("x-amz-meta-penstock-token"), "the-token");
  EXPECT_FALSE(attribute_headers({}, row(), "").has("x-amz-meta-penstock-token"));
}

TEST(Attributes, MetadataThatNoHeaderCanCarryIsEncodedAndReadBack) {
  const std::string values[] = {
      "plain",
      "",
      "\xC3\xBC",
      " padded ",
      "=?UTF-8?B?eA==?=",
      "a =? b",
      "\xE6\xBC\xA2\xE5\xAD\x97 and more \xF0\x9F\x98\x80 " + std::string(200, 'x') + "\xC3\xA9"};
  for (const std::string& value : values) {
    const std::string sent = encode_metadata(value);
    for (const unsigned char c : sent) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << value;
    EXPECT_EQ(decode_metadata(sent), value);
  }
  EXPECT_EQ(encode_metadata("two words; = "), "=?UTF-8?B?dHdvIHdvcmRzOyA9IA==?=");
  EXPECT_EQ(encode_metadata("plain; = value"), "plain; = value");
}

TEST(Attributes, EncodedWordsKeepToTheirLengthAndSplitNoCharacter) {
  std::string value;
  for (int i = 0; i < 100; ++i) value += "\xF0\x9F\x98\x80";
  const std::string sent = encode_metadata(value);
  std::size_t begin = 0;
  while (begin < sent.size()) {
    const std::size_t end = std::min(sent.find(' ', begin), sent.size());
    EXPECT_LE(end - begin, 75u);
    EXPECT_EQ(decode_metadata(sent.substr(begin, end - begin)).size() % 4, 0u);
    begin = end + 1;
  }
  EXPECT_EQ(decode_metadata(sent), value);
}

TEST(Attributes, ForeignWordsAreReadOrLeftAlone) {
  EXPECT_EQ(decode_metadata("=?utf-8?q?caf=C3=A9_au?= lait"), "caf\xC3\xA9 au lait");
  EXPECT_EQ(decode_metadata("=?ISO-8859-1?Q?caf=E9?="), "=?ISO-8859-1?Q?caf=E9?=");
  EXPECT_EQ(decode_metadata("=?UTF-8?B?###?="), "=?UTF-8?B?###?=");
  EXPECT_EQ(decode_metadata("=?UTF-8?B?eA=="), "=?UTF-8?B?eA==");
  EXPECT_EQ(decode_metadata("=?UTF-8?"), "=?UTF-8?");
}

TEST(Attributes, WhatIsNoHeaderOrTooMuchIsRefused) {
  const auto kind = [](store::WriteOptions options) {
    return error_of([&] { attribute_headers(options, row(), "token"); }).kind();
  };
  EXPECT_EQ(kind({.metadata = {{"bad name", "x"}}}), Kind::refused);
  EXPECT_EQ(kind({.metadata = {{"n", "x\r\nEvil: y"}}}), Kind::refused);
  EXPECT_EQ(kind({.content_type = "a\nb"}), Kind::refused);
  EXPECT_EQ(kind({.metadata = {{"n", std::string(2048, 'x')}}}), Kind::refused);
}

TEST(Attributes, AnAnswerDescribesItsObject) {
  const http::Headers headers{{"Content-Length", "10"},
                              {"ETag", "opaque"},
                              {"Last-Modified", "Sat, 21 Nov 2026 14:48:01 GMT"},
                              {"X-Amz-Meta-Note", "=?UTF-8?B?w7w=?="},
                              {"x-amz-meta-penstock-token", "ours"},
                              {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="},
                              {"x-amz-checksum-sha256", "abc-2"}};
  const store::ObjectMeta meta = meta_from(headers, "k");
  EXPECT_EQ(meta.bytes, 10u);
  EXPECT_EQ(meta.etag, "opaque");
  EXPECT_EQ(meta.last_modified, WallTime{std::chrono::seconds{1795272481}});
  EXPECT_EQ(meta.metadata, (std::map<std::string, std::string>{{"note", "\xC3\xBC"}}));
  EXPECT_EQ(meta.digests, (std::map<std::string, std::string>{{"crc64nvme", "0000000000000000"}}));
  EXPECT_EQ(token_of(headers), "ours");
}

TEST(Attributes, ARangesAnswerDescribesTheWholeObject) {
  EXPECT_EQ(meta_from({{"Content-Length", "3"}, {"Content-Range", "bytes 2-4/10"}}, "k").bytes, 10u);
}

TEST(Attributes, ACompositeChecksumIsNotTheObjects) {
  EXPECT_EQ(full_checksum({{"x-amz-checksum-crc32", "AAAAAA==-3"}}, "crc32"), "");
  EXPECT_EQ(
      full_checksum({{"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-checksum-type", "COMPOSITE"}}, "crc32"),
      "");
  EXPECT_EQ(
      full_checksum({{"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-checksum-type", "FULL_OBJECT"}}, "crc32"),
      "AAAAAA==");
}

}  // namespace
}  // namespace penstock::s3
