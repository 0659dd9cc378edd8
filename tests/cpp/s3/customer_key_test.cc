#include "penstock/s3/customer_key.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::s3 {
namespace {

const std::string kKey = "0123456789abcdefghijklmnopqrstuv";  // printf | base64, printf | md5sum
constexpr const char* kBase64 = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
constexpr const char* kMd5 = "qkvGcbTBx6OOKYAPUO9jRg==";

TEST(CustomerKey, GoesAsAlgorithmKeyAndMd5) {
  const http::Headers headers = customer_key_headers(kKey);
  EXPECT_EQ(headers.get("x-amz-server-side-encryption-customer-algorithm"), "AES256");
  EXPECT_EQ(headers.get("x-amz-server-side-encryption-customer-key"), kBase64);
  EXPECT_EQ(headers.get("x-amz-server-side-encryption-customer-key-md5"), kMd5);
}

TEST(CustomerKey, OfTheSourceOfACopyHasNamesOfItsOwn) {
  http::Headers headers = customer_key_headers(kKey);
  add_headers(headers, customer_key_headers(std::string(32, 'o'), KeyOf::copy_source));
  EXPECT_EQ(headers.get("x-amz-server-side-encryption-customer-key"), kBase64);
  EXPECT_EQ(headers.get("x-amz-copy-source-server-side-encryption-customer-algorithm"), "AES256");
  EXPECT_NE(headers.get("x-amz-copy-source-server-side-encryption-customer-key"), kBase64);
}

TEST(CustomerKey, NoneIsNoHeader) {
  EXPECT_TRUE(customer_key_headers("").empty());
}

TEST(CustomerKey, OfAnotherSizeIsRefusedAndNotShown) {
  for (const std::size_t size : {1u, 31u, 33u, 44u}) {
    const std::string key(size, 'S');
    const Error error = test::error_of([&] { customer_key_headers(key); });
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.message().find("SS"), std::string::npos) << error.message();
  }
}

TEST(CustomerKey, BothKeysOfARequestAreMarkedAndNothingElseIs) {
  http::Request request;
  mark_customer_keys(request);
  EXPECT_TRUE(request.secret_headers.empty());
  request.headers = customer_key_headers(kKey);
  add_headers(request.headers, customer_key_headers(kKey, KeyOf::copy_source));
  mark_customer_keys(request);
  EXPECT_EQ(request.secret_headers.size(), 4u);
  for (const std::string& name : request.secret_headers) EXPECT_TRUE(request.headers.has(name)) << name;
}

TEST(CustomerKey, AnAnswerWithoutItWhereOneWasSentIsRefused) {
  const http::Headers asked = customer_key_headers(kKey);
  const http::Headers kept{{"x-amz-server-side-encryption-customer-algorithm", "AES256"}};
  EXPECT_EQ(not_encrypted({}, {}), std::nullopt);
  EXPECT_EQ(not_encrypted(asked, kept), std::nullopt);
  const auto error = not_encrypted(asked, {});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), Kind::refused);
  EXPECT_EQ(error->facts().code, "not_encrypted");
}

}  // namespace
}  // namespace penstock::s3
