#include "penstock/sqs/message.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/errors.h"

namespace penstock::sqs {
namespace {

using test::error_of;

constexpr std::uint64_t kLimit = 1 << 20;

Error refusal_of(const Message& message, bool fifo = false, std::uint64_t limit = kLimit) {
  const Error error = error_of([&] { check_message(message, fifo, limit); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.message();
  return error;
}

TEST(SqsMessage, what_no_queue_takes_is_refused) {
  refusal_of({.body = ""});
  for (const char* body : {"a\x01", "\x1b[0m", "\xff", "\xed\xa0\x80", "\xef\xbf\xbf", "\xef\xbf\xbe"})
    refusal_of({.body = body});
  refusal_of({.body = std::string{"a\0b", 3}});
  refusal_of({.body = "x", .delay = std::chrono::seconds{901}});
  refusal_of({.body = "x", .delay = std::chrono::seconds{-1}});
  refusal_of({.body = "x", .dedup_id = "only of FIFO queues"});
  check_message({.body = "tab\tline\r\n \xe2\x82\xac \xf0\x9f\x98\x80", .delay = std::chrono::seconds{900}},
                false, kLimit);
}

TEST(SqsMessage, attributes_are_judged_by_name_type_and_value) {
  const auto with = [](const std::string& name, const Attribute& attribute) {
    return Message{.body = "x", .attributes = {{name, attribute}}};
  };
  for (const char* name : {"", ".a", "a.", "a..b", "a b", "AWS.x", "amazon.x", "\xc3\xa9"})
    refusal_of(with(name, {.value = "v"}));
  refusal_of(with(std::string(257, 'n'), {.value = "v"}));
  refusal_of(with("n", {.value = ""}));
  refusal_of(with("n", {.value = "v", .type = "Text"}));
  refusal_of(with("n", {.value = "\x01"}));
  refusal_of(with("n", {.value = "v", .type = "String.\xff"}));
  check_message(with("a.b-c_D9", {.value = "1", .type = "Number.int"}), false, kLimit);
  check_message(with("n", {.value = std::string{"\0\xff", 2}, .type = "Binary.png"}), false, kLimit);
  Message many{.body = "x"};
  for (int i = 0; i < 11; ++i) many.attributes["n" + std::to_string(i)] = {.value = "v"};
  refusal_of(many);
}

TEST(SqsMessage, the_limit_counts_body_and_attributes) {
  const Message message{.body = std::string(90, 'x'),
                        .attributes = {{"name", {.value = "12", .type = "Number"}}}};
  EXPECT_EQ(counted_bytes(message), 102u);
  check_message(message, false, 102);
  EXPECT_EQ(refusal_of(message, false, 101).facts().code, code::kTooLarge);
}

TEST(SqsMessage, a_fifo_queue_needs_a_group_and_gets_the_digest_of_the_body) {
  refusal_of({.body = "x"}, true);
  refusal_of({.body = "x", .delay = std::chrono::seconds{1}, .group_id = "g"}, true);
  refusal_of({.body = "x", .group_id = std::string(129, 'g')}, true);
  refusal_of({.body = "x", .group_id = "a b"}, true);
  const auto json = to_json({.body = "abc", .group_id = "g"}, true);
  EXPECT_EQ(json["MessageGroupId"], "g");
  EXPECT_EQ(json["MessageDeduplicationId"],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_json({.body = "abc", .group_id = "g", .dedup_id = "mine"}, true)["MessageDeduplicationId"],
            "mine");
  EXPECT_FALSE(to_json({.body = "abc", .group_id = "g", .dedup_id = std::nullopt}, true)
                   .contains("MessageDeduplicationId"));
  check_message({.body = "abc", .group_id = "g", .dedup_id = std::nullopt}, true, 100);
  EXPECT_EQ(to_json({.body = "abc", .group_id = "fair"}, false).dump(),
            R"({"MessageBody":"abc","MessageGroupId":"fair"})");
}

TEST(SqsMessage, what_is_received_is_what_was_sent) {
  const auto json = nlohmann::json::parse(R"({
    "MessageId": "1", "ReceiptHandle": "h", "Body": "abc", "MD5OfBody": "900150983cd24fb0d6963f7d28e17f72",
    "Attributes": {"ApproximateReceiveCount": "2"},
    "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": "AP8="}}})");
  const Received received = received_from(json);
  EXPECT_EQ(received.body, "abc");
  EXPECT_EQ(received.system.at("ApproximateReceiveCount"), "2");
  EXPECT_EQ(received.attributes.at("n").value, "7");
  EXPECT_EQ(received.attributes.at("b").value, (std::string{"\0\xff", 2}));
  auto bad = json;
  bad["Body"] = "abd";
  EXPECT_NE(error_of([&] { received_from(bad); }).message().find("handle is h"), std::string::npos);
  bad = json;
  bad["MessageAttributes"]["b"]["BinaryValue"] = "?";
  EXPECT_EQ(error_of([&] { received_from(bad); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { received_from(nlohmann::json::parse("{}")); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { received_from(nlohmann::json::parse("[]")); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { received_from(nlohmann::json::parse(R"({"ReceiptHandle":1})")); }).kind(),
            Kind::corrupt);
}

}  // namespace
}  // namespace penstock::sqs
