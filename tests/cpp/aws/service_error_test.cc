#include "penstock/aws/service_error.h"

#include <gtest/gtest.h>

namespace penstock::aws {
namespace {

using http::RetryClass;

constexpr const char* kS3Error =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The key is not there"
    "</Message><Key>a/b</Key><RequestId>REQ1</RequestId><HostId>host+1</HostId></Error>";

ServiceError parsed(int status, std::string_view body, const http::Headers& headers = {}) {
  return parse_service_error(status, headers, body).value_or(ServiceError{});
}

Error error_from(int status, const ServiceError& said, const std::string& url = "https://b.example/k?x=y") {
  const http::Request request{.method = "PUT", .url = url};
  const http::Headers headers;
  return service_error({.number = 2, .request = request, .status = status, .headers = headers}, said);
}

TEST(ServiceError, s3_xml) {
  const auto said = parsed(404, kS3Error);
  EXPECT_EQ(said.code, "NoSuchKey");
  EXPECT_EQ(said.message, "The key is not there");
  EXPECT_EQ(said.request_id, "REQ1");
  EXPECT_EQ(said.host_id, "host+1");
}

TEST(ServiceError, region_and_server_time_come_along) {
  const auto said = parsed(400,
                           "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>"
                           "<ServerTime>2026-01-02T03:04:05Z</ServerTime><BucketName>b</BucketName></Error>");
  EXPECT_EQ(said.region, "eu-west-1");
  EXPECT_EQ(said.server_time, "2026-01-02T03:04:05Z");
  EXPECT_EQ(said.bucket, "b");
}

TEST(ServiceError, query_protocol_xml) {
  const auto said =
      parsed(403,
             "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"
             "</Type><Code>InvalidClientTokenId</Code><Message>m</Message></Error>"
             "<RequestId>R</RequestId></ErrorResponse>");
  EXPECT_EQ(said.code, "InvalidClientTokenId");
  EXPECT_EQ(said.request_id, "R");
}

TEST(ServiceError, json_type_loses_its_name_space) {
  EXPECT_EQ(parsed(400, R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"})").code,
            "QueueDoesNotExist");
  EXPECT_EQ(parsed(400, R"({"__type":"ThrottlingException:http://x","Message":"big M"})").message, "big M");
  EXPECT_EQ(parsed(400, R"({"__type":"ThrottlingException:http://x"})").code, "ThrottlingException");
}

TEST(ServiceError, headers_say_what_the_body_does_not) {
  const auto said = parsed(400, "",
                           {{"x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
                            {"x-amzn-RequestId", "R"},
                            {"x-amz-id-2", "H"},
                            {"x-amz-bucket-region", "eu-west-1"}});
  EXPECT_EQ(said.code, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(said.request_id, "R");
  EXPECT_EQ(said.host_id, "H");
  EXPECT_EQ(said.region, "eu-west-1");
}

TEST(ServiceError, nothing_said_is_none) {
  EXPECT_FALSE(parse_service_error(404, {}, ""));
  EXPECT_FALSE(parse_service_error(502, {}, "<html><body>Bad gateway</body></html>"));
  EXPECT_FALSE(parse_service_error(500, {}, "not { json"));
  EXPECT_FALSE(parse_service_error(500, {}, "{\"a\": "));
  EXPECT_FALSE(parse_service_error(500, {}, "[1]"));
  EXPECT_FALSE(parse_service_error(200, {{"x-amz-request-id", "R"}}, "<Result/>"));
}

TEST(ServiceError, a_200_may_hold_one_after_white_space) {
  EXPECT_EQ(parsed(200, " \n <?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>").code,
            "InternalError");
}

TEST(ServiceError, a_cut_off_body_still_gives_its_code) {
  const std::string body = kS3Error;
  EXPECT_EQ(parsed(404, body.substr(0, body.find("<Key>"))).code, "NoSuchKey");
}

TEST(ServiceError, no_cut_of_a_body_makes_it_fail) {
  const std::string body = kS3Error;
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_LE(parsed(404, body.substr(0, size)).code.size(), 9u);
    EXPECT_FALSE(is_whole_xml(body.substr(0, size))) << size;
  }
  EXPECT_TRUE(is_whole_xml(body));
}

TEST(ServiceError, a_flood_of_elements_is_not_parsed) {
  std::string flood = "<Error><Code>InternalError</Code>";
  for (int i = 0; i < 200'001; ++i) flood += "<a/>";
  EXPECT_FALSE(parse_service_error(200, {}, flood + "</Error>").has_value());
  EXPECT_TRUE(is_whole_xml(flood)) << "left to the reader of the answer, which refuses it";
}

TEST(ServiceError, every_code_of_the_table_has_its_class) {
  for (const auto* code : {"RequestTimeout", "RequestTimeoutException", "InternalError", "IncompleteBody"})
    EXPECT_EQ(classify_code(code), RetryClass::transient) << code;
  for (const auto* code :
       {"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
        "BandwidthLimitExceeded", "LimitExceededException", "ProvisionedThroughputExceededException",
        "TransactionInProgressException", "PriorRequestNotComplete", "EC2ThrottledException"})
    EXPECT_EQ(classify_code(code), RetryClass::throttle) << code;
  for (const auto* code : {"", "AccessDenied", "slowdown", "NoSuchKey"})
    EXPECT_EQ(classify_code(code), std::nullopt) << code;
}

TEST(ServiceError, kinds_follow_the_code_then_the_status) {
  const std::tuple<const char*, int, Kind> cases[] = {
      {"NoSuchKey", 404, Kind::missing},
      {"NoSuchBucket", 404, Kind::missing},
      {"NoSuchVersion", 404, Kind::missing},
      {"", 404, Kind::missing},
      {"", 410, Kind::missing},
      {"", 401, Kind::denied},
      {"AccessDenied", 403, Kind::denied},
      {"AccessDenied", 200, Kind::denied},
      {"ExpiredToken", 400, Kind::denied},
      {"InvalidArgument", 400, Kind::refused},
      {"NotImplemented", 501, Kind::refused},
      {"PreconditionFailed", 412, Kind::conflict},
      {"", 409, Kind::conflict},
      {"", 429, Kind::busy},
      {"SlowDown", 503, Kind::busy},
      {"RequestTimeout", 400, Kind::lost},
      {"InternalError", 200, Kind::lost},
      {"", 500, Kind::lost},
      {"BadDigest", 400, Kind::corrupt},
      {"XAmzContentSHA256Mismatch", 400, Kind::corrupt},
      {"Unheard", 418, Kind::refused},
      {"PermanentRedirect", 301, Kind::refused},
  };
  for (const auto& [code, status, kind] : cases)
    EXPECT_EQ(kind_of(code, status), kind) << code << " " << status;
}

TEST(ServiceError, facts_are_filled_in) {
  const auto error = error_from(404, parsed(404, kS3Error));
  EXPECT_EQ(error.kind(), Kind::missing);
  EXPECT_EQ(error.facts().status, 404);
  EXPECT_EQ(error.facts().code, "NoSuchKey");
  EXPECT_EQ(error.facts().request_id, "REQ1");
  EXPECT_EQ(error.facts().host_id, "host+1");
  EXPECT_EQ(error.facts().attempts, 2);
  EXPECT_EQ(error.facts().doing, "PUT");
  EXPECT_EQ(error.facts().subject, "https://b.example/k");
  EXPECT_EQ(error.message(), "PUT https://b.example/k: 404 NoSuchKey: The key is not there");
}

TEST(ServiceError, a_long_message_is_cut_and_code_and_id_stay) {
  const auto error =
      error_from(403, {.code = "AccessDenied", .message = std::string(1200, 'x'), .request_id = "R"});
  EXPECT_LT(error.message().size(), 700u);
  EXPECT_EQ(error.facts().code, "AccessDenied");
  EXPECT_EQ(error.facts().request_id, "R");
}

TEST(ServiceError, secrets_in_url_and_message_do_not_pass) {
  const auto error = error_from(403,
                                {.code = "SignatureDoesNotMatch",
                                 .message = "you sent Authorization: AWS4-HMAC-SHA256 canary and "
                                            "X-Amz-Signature=canary&X-Amz-Security-Token=canary"},
                                "https://user:canary@b.example/k?X-Amz-Signature=canary");
  EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
  EXPECT_EQ(error.facts().subject.find("canary"), std::string::npos);
}

}  // namespace
}  // namespace penstock::aws
