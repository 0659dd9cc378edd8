#include "penstock/s3/address.h"

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"

namespace penstock::s3 {
namespace {

using test::error_of;

Address at(std::string_view endpoint, std::string_view bucket = "bucket",
           std::string_view region = "us-east-1", Addressing addressing = Addressing::automatic) {
  const Capabilities* row =
      endpoint.empty() ? &provider_row("aws") : row_by_host(http::Url::parse(endpoint).host);
  return make_address(endpoint, bucket, region, addressing, row);
}

TEST(Address, AwsIsAddressedByVirtualHost) {
  EXPECT_EQ(at("", "bucket", "eu-west-1").object_url("a/b"), "https://bucket.s3.eu-west-1.amazonaws.com/a/b");
  EXPECT_EQ(at("", "bucket", "cn-north-1").object_url("k"),
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
}

TEST(Address, ABucketThatNoCertificateCoversIsAddressedByPath) {
  EXPECT_EQ(at("", "my.bucket").object_url("k"), "https://s3.us-east-1.amazonaws.com/my.bucket/k");
  EXPECT_EQ(at("", "Old_Bucket").object_url("k"), "https://s3.us-east-1.amazonaws.com/Old_Bucket/k");
}

TEST(Address, OtherEndpointsAreAddressedByPath) {
  EXPECT_EQ(at("http://127.0.0.1:9000").object_url("k"), "http://127.0.0.1:9000/bucket/k");
  EXPECT_EQ(at("http://[::1]:9000/").object_url("k"), "http://[::1]:9000/bucket/k");
  EXPECT_EQ(at("http://host/base/").object_url("k"), "http://host/base/bucket/k");
}

TEST(Address, AddressingCanBeChosen) {
  EXPECT_EQ(at("", "bucket", "us-east-1", Addressing::path).bucket_url(),
            "https://s3.us-east-1.amazonaws.com/bucket");
  EXPECT_EQ(at("http://s3.test", "bucket", "us-east-1", Addressing::virtual_host).object_url("k"),
            "http://bucket.s3.test/k");
  EXPECT_EQ(error_of([] { at("http://127.0.0.1:1", "bucket", "r", Addressing::virtual_host); }).kind(),
            Kind::refused);
}

TEST(Address, KeysAreEncodedOnceAndNeverNormalised) {
  const Address path = at("http://h");
  EXPECT_EQ(path.object_url("a//b/./../c"), "http://h/bucket/a//b/./../c");
  EXPECT_EQ(path.object_url("a b+c%d?e#f"), "http://h/bucket/a%20b%2Bc%25d%3Fe%23f");
  EXPECT_EQ(path.object_url("\xC3\xBC\r\n"), "http://h/bucket/%C3%BC%0D%0A");
  EXPECT_EQ(path.object_url("k", {{"partNumber", "1"}, {"uploadId", "a/b+c"}}),
            "http://h/bucket/k?partNumber=1&uploadId=a%2Fb%2Bc");
}

TEST(Address, AnotherRegionRebuildsAwsHostsOnly) {
  const Address aws = at("").in_region("eu-central-1");
  EXPECT_EQ(aws.object_url("k"), "https://bucket.s3.eu-central-1.amazonaws.com/k");
  EXPECT_EQ(aws.moved("https://bucket.s3.us-east-1.amazonaws.com/k?uploads="),
            "https://bucket.s3.eu-central-1.amazonaws.com/k?uploads=");
  EXPECT_EQ(at("https://s3.amazonaws.com").in_region("eu-west-2").bucket_url(),
            "https://bucket.s3.eu-west-2.amazonaws.com/");
  const Address other = at("http://127.0.0.1:9000").in_region("eu-west-2");
  EXPECT_EQ(other.region, "eu-west-2");
  EXPECT_EQ(other.moved("http://127.0.0.1:9000/bucket/k"), "http://127.0.0.1:9000/bucket/k");
}

TEST(Address, TheRegionIsReadFromAwsHosts) {
  EXPECT_EQ(region_in_host("s3.eu-west-1.amazonaws.com"), "eu-west-1");
  EXPECT_EQ(region_in_host("s3.dualstack.eu-west-1.amazonaws.com"), "eu-west-1");
  EXPECT_EQ(region_in_host("vpce-1.s3.us-west-2.vpce.amazonaws.com"), "us-west-2");
  EXPECT_EQ(region_in_host("s3.amazonaws.com"), std::nullopt);
  EXPECT_EQ(region_in_host("s3.eu-west-1.amazonaws.com.evil.test"), std::nullopt);
}

TEST(Address, HostileBucketsAndEndpointsAreRefused) {
  for (const char* bucket : {"", "ab", "a/b/c", "a?b=c", "a..b", "buck et", "b\r\nHost: x", "a@b.c"}) {
    EXPECT_EQ(error_of([&] { at("http://h", bucket); }).kind(), Kind::refused) << bucket;
  }
  EXPECT_EQ(error_of([] { at("http://h", std::string(64, 'a')); }).kind(), Kind::refused);
  for (const char* endpoint : {"ftp://h", "http://user:pass@h", "http://h/?x=1", "h"}) {
    const Error error =
        error_of([&] { make_address(endpoint, "bucket", "r", Addressing::automatic, nullptr); });
    EXPECT_EQ(error.kind(), Kind::refused) << endpoint;
    EXPECT_EQ(error.message().find("pass@"), std::string::npos);
  }
}

TEST(Provider, IsFoundByHostAndByServerHeader) {
  EXPECT_EQ(row_by_host("bucket.s3.eu-west-1.amazonaws.com")->provider, "aws");
  EXPECT_EQ(row_by_host("acc.r2.cloudflarestorage.com")->region, "auto");
  EXPECT_EQ(row_by_host("amazonaws.com.evil.test"), nullptr);
  EXPECT_EQ(row_by_server("MinIO")->provider, "minio");
  EXPECT_EQ(row_by_server("VERSITYGW")->provider, "versitygw");
  EXPECT_EQ(row_by_server("nginx"), nullptr);
  EXPECT_EQ(error_of([] { provider_row("s4"); }).kind(), Kind::refused);
}

TEST(Config, AUrlsKeyIsRaw) {
  const Config config = Config::from_url("s3://bucket/a%20b?c#d/");
  EXPECT_EQ(config.bucket, "bucket");
  EXPECT_EQ(config.prefix, "a%20b?c#d/");
  EXPECT_EQ(Config::from_url("s3://bucket").prefix, "");
  EXPECT_EQ(error_of([] { Config::from_url("http://bucket/k"); }).kind(), Kind::refused);
}

}  // namespace
}  // namespace penstock::s3
