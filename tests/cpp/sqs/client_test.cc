#include "penstock/sqs/client.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "penstock/streams/hash.h"

#include "support/errors.h"
#include "support/quick_client.h"
#include "support/scripted_server.h"

namespace penstock::sqs {
namespace {

using nlohmann::json;
using test::error_of;
using test::respond;
using test::script;

std::string md5(const std::string& text) {
  Hasher hasher{Algorithm::md5};
  hasher.update(as_bytes(text));
  return hasher.digest().hex();
}

aws::ChainInputs keys() {
  aws::ChainInputs inputs;
  inputs.given = aws::Credentials{.access_key_id = "AKID", .secret_access_key = "secret"};
  return inputs;
}

// What an ordinary queue answers to a batch: all taken, but what `judge` says otherwise of (attempt, entry).
using Fault = std::function<std::optional<json>(int attempt, const json& entry)>;

json answer_to(const json& request, int attempt, const Fault& fault) {
  json answer{{"Successful", json::array()}, {"Failed", json::array()}};
  for (const json& entry : request["Entries"]) {
    if (auto failed = fault(attempt, entry)) {
      if (failed->is_null()) continue;  // not mentioned
      (*failed)["Id"] = entry["Id"];
      answer["Failed"].push_back(*failed);
      continue;
    }
    answer["Successful"].push_back(
        {{"Id", entry["Id"]}, {"MessageId", "id-" + entry["Id"].get<std::string>()}});
    if (entry.contains("MessageBody"))
      answer["Successful"].back()["MD5OfMessageBody"] = md5(entry["MessageBody"].get<std::string>());
  }
  return answer;
}

class SqsClientTest : public ::testing::Test {
 protected:
  Client client(Config config = {}) {
    if (config.queue_url.empty()) config.queue_url = server.url("/123/queue");
    config.credentials = keys();
    config.client = test::quick_client();
    return Client{config};
  }
  void batches(const Fault& fault) {
    server.on("/", script().run([this, fault](test::Exchange& exchange) {
      exchange.read_body();
      const json request = json::parse(exchange.request().body);
      const std::string body = answer_to(request, ++attempts, fault).dump();
      exchange.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }));
  }
  std::vector<json> asked() {
    std::vector<json> all;
    for (const auto& request : server.requests("/")) all.push_back(json::parse(request.body));
    return all;
  }

  test::ScriptedServer server;
  std::atomic<int> attempts{0};
};

std::vector<Message> numbered(int count, std::size_t bytes = 0) {
  std::vector<Message> messages;
  for (int i = 0; i < count; ++i) messages.push_back({.body = std::to_string(i) + std::string(bytes, 'x')});
  return messages;
}

TEST_F(SqsClientTest, a_message_goes_by_json_signed_for_the_queues_region) {
  server.on("/", respond(200, {}, json{{"MessageId", "m1"}, {"MD5OfMessageBody", md5("hello")}}.dump()));
  auto queue = client({.region = "eu-west-2"});
  EXPECT_EQ(
      queue.send({.body = "hello", .attributes = {{"n", {.value = "v"}}}, .delay = std::chrono::seconds{3}})
          .id,
      "m1");
  const auto request = server.requests("/").at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.headers.get("x-amz-target"), "AmazonSQS.SendMessage");
  EXPECT_EQ(request.headers.get("content-type"), "application/x-amz-json-1.0");
  EXPECT_NE(request.headers.get("authorization").find("/eu-west-2/sqs/aws4_request"), std::string_view::npos);
  EXPECT_EQ(asked().at(0),
            (json{{"QueueUrl", server.url("/123/queue")},
                  {"MessageBody", "hello"},
                  {"DelaySeconds", 3},
                  {"MessageAttributes", {{"n", {{"DataType", "String"}, {"StringValue", "v"}}}}}}));
}

TEST_F(SqsClientTest, the_region_is_in_the_queues_url) {
  for (const auto& [host, region] :
       std::map<std::string, std::string>{{"sqs.eu-west-2.amazonaws.com", "eu-west-2"},
                                          {"us-gov-west-1.queue.amazonaws.com", "us-gov-west-1"},
                                          {"sqs.eu-west-1.api.aws", "eu-west-1"},
                                          {"queue.amazonaws.com", "us-east-1"},
                                          {"sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"}})
    EXPECT_EQ(client({.queue_url = "https://" + host + "/1/q"}).config().region, region) << host;
}

TEST_F(SqsClientTest, the_environment_names_another_endpoint) {
  server.on("/", respond(200, {}, json{{"MessageId", "m1"}}.dump()));
  Config config{.queue_url = "https://sqs.eu-west-2.amazonaws.com/1/q"};
  config.credentials = keys();
  config.credentials->environment["AWS_ENDPOINT_URL_SQS"] = server.origin();
  config.client = test::quick_client();
  EXPECT_EQ(Client{config}.send({.body = "x"}).id, "m1");
}

TEST_F(SqsClientTest, the_path_of_an_endpoint_is_kept) {
  server.on("/queues/", respond(200, {}, json{{"MessageId", "m1"}}.dump()));
  for (const char* path : {"/queues", "/queues/"}) {
    auto queue = client({.queue_url = server.url("/queues/123/q"), .endpoint = server.url(path)});
    EXPECT_EQ(queue.send({.body = "x"}).id, "m1") << path;
  }
}

TEST_F(SqsClientTest, another_body_than_was_sent_is_corrupt) {
  server.on("/", respond(200, {}, json{{"MessageId", "m1"}, {"MD5OfMessageBody", md5("other")}}.dump()));
  EXPECT_EQ(error_of([&] { client().send({.body = "hello"}); }).kind(), Kind::corrupt);
}

TEST_F(SqsClientTest, a_queue_that_is_not_there_is_missing_and_secrets_stay) {
  server.on("/", script().run([](test::Exchange& exchange) {
    exchange.read_body();
    const json body{{"__type", "com.amazonaws.sqs#QueueDoesNotExist"},
                    {"message", std::string{exchange.request().headers.get("authorization")}}};
    exchange.send("HTTP/1.1 400 Bad Request\r\nContent-Length: " + std::to_string(body.dump().size()) +
                  "\r\n\r\n" + body.dump());
  }));
  const Error error = error_of([&] { client().send({.body = "hello"}); });
  EXPECT_EQ(error.kind(), Kind::missing);
  EXPECT_EQ(error.facts().code, "QueueDoesNotExist");
  EXPECT_EQ(error.facts().subject, server.url("/123/queue"));
  const auto sent = std::string{server.requests("/").at(0).headers.get("authorization")};
  EXPECT_EQ(error.message().find(sent.substr(sent.find("Signature="))), std::string::npos);
}

TEST_F(SqsClientTest, an_answer_that_says_nothing_of_the_message_is_corrupt) {
  for (const char* body : {"", "{}", "[]", R"({"MessageId":null})", R"({"MessageId":7})"}) {
    server.on("/", respond(200, {}, body));
    EXPECT_EQ(error_of([&] { client().send({.body = "hello"}); }).kind(), Kind::corrupt) << body;
  }
  server.on("/", respond(200, {}, json{{"MessageId", "m1"}, {"SequenceNumber", nullptr}}.dump()));
  EXPECT_EQ(client().send({.body = "hello"}).id, "m1");
}

TEST_F(SqsClientTest, a_lost_answer_is_asked_for_again) {
  server.on("/", {script().read_body().reset(), respond(503),
                  respond(200, {}, json{{"MessageId", "m1"}, {"MD5OfMessageBody", md5("hello")}}.dump())});
  EXPECT_EQ(client({.queue_url = server.url("/1/q.fifo")}).send({.body = "hello", .group_id = "g"}).id, "m1");
  const auto requests = asked();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests.at(0), requests.at(2));  // the same deduplication id: a FIFO queue drops the repeat
}

TEST_F(SqsClientTest, batches_hold_ten_entries_and_the_limit) {
  batches([](int, const json&) { return std::nullopt; });
  const BatchReport report = client().send_many(numbered(25));
  EXPECT_EQ(report.sent.size(), 25u);
  EXPECT_EQ(report.sent.at(24).id, "id-24");
  EXPECT_EQ(asked().size(), 3u);
  client({.max_message_bytes = 1000}).send_many(numbered(5, 400));
  EXPECT_EQ(asked().size(), 6u);  // two, two and one
}

TEST_F(SqsClientTest, entries_the_service_failed_are_asked_again_alone) {
  batches([](int attempt, const json& entry) -> std::optional<json> {
    if (attempt == 1 && entry["Id"] == "1") return json{{"SenderFault", "false"}, {"Code", "InternalError"}};
    if (attempt == 1 && entry["Id"] == "2") return json(nullptr);  // not mentioned
    if (entry["Id"] == "3")
      return json{{"SenderFault", true}, {"Code", "InvalidParameterValue"}, {"Message", "bad"}};
    return std::nullopt;
  });
  const BatchReport report = client().send_many(numbered(5));
  EXPECT_EQ(report.sent.size(), 4u);
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors.at(3).kind(), Kind::refused);
  EXPECT_EQ(report.errors.at(3).facts().code, "InvalidParameterValue");
  ASSERT_EQ(asked().size(), 2u);
  EXPECT_EQ(asked().at(1)["Entries"].size(), 2u);
}

TEST_F(SqsClientTest, an_entry_that_fails_every_time_ends_as_its_error) {
  batches([](int, const json& entry) -> std::optional<json> {
    if (entry["Id"] == "0") return json{{"SenderFault", false}, {"Code", "ThrottlingException"}};
    return std::nullopt;
  });
  const BatchReport report = client().send_many(numbered(2));
  EXPECT_EQ(report.errors.at(0).kind(), Kind::busy);
  EXPECT_EQ(asked().size(), static_cast<std::size_t>(kBatchAttempts));
}

TEST_F(SqsClientTest, once_a_whole_batch_fails_the_rest_is_not_sent) {
  server.on("/", {respond(200, {}, answer_to({{"Entries", json::array()}}, 1, {}).dump()),
                  respond(403, {}, R"({"__type":"AccessDenied"})")});
  const BatchReport report = client().send_many(numbered(30));
  EXPECT_EQ(report.sent.size(), 0u);  // the first answer mentioned none
  ASSERT_EQ(report.errors.size(), 30u);
  EXPECT_EQ(report.errors.at(29).kind(), Kind::denied);
  EXPECT_EQ(asked().size(), 2u);
}

TEST_F(SqsClientTest, one_message_that_could_never_be_sent_stops_all_beforehand) {
  auto messages = numbered(20);
  messages[15].body = "\x01";
  EXPECT_EQ(error_of([&] { client().send_many(messages); }).kind(), Kind::refused);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(SqsClientTest, messages_are_received_hidden_and_deleted) {
  const json message{{"MessageId", "1"}, {"ReceiptHandle", "h"}, {"Body", "abc"}, {"MD5OfBody", md5("abc")}};
  server.on("/", {respond(200, {}, json{{"Messages", {message}}}.dump()), respond(200, {}, "{}"),
                  respond(200, {}, "{}"), respond(200)});
  auto queue = client();
  const auto received =
      queue.receive({.max = 3, .wait = std::chrono::seconds{1}, .visibility = std::chrono::seconds{60}});
  ASSERT_EQ(received.size(), 1u);
  EXPECT_TRUE(queue.receive().empty());
  queue.change_visibility("h", std::chrono::seconds{0});
  queue.delete_message("h");
  EXPECT_EQ(asked().at(0)["VisibilityTimeout"], 60);
  EXPECT_EQ(asked().at(0)["WaitTimeSeconds"], 1);
  EXPECT_EQ(asked().at(1)["MaxNumberOfMessages"], 10);
  EXPECT_EQ(asked().at(2)["VisibilityTimeout"], 0);
  EXPECT_EQ(server.requests("/").at(3).headers.get("x-amz-target"), "AmazonSQS.DeleteMessage");
  EXPECT_EQ(asked().at(3), (json{{"QueueUrl", server.url("/123/queue")}, {"ReceiptHandle", "h"}}));
}

TEST_F(SqsClientTest, a_fifo_queue_gives_the_same_messages_after_a_lost_answer) {
  server.on("/", {script().read_body().reset(), respond(200, {}, "{}"), respond(200, {}, "{}")});
  auto queue = client({.queue_url = server.url("/1/q.fifo")});
  queue.receive({.wait = std::chrono::seconds{0}});
  queue.receive({.wait = std::chrono::seconds{0}});
  client().receive({.wait = std::chrono::seconds{0}});
  const auto requests = asked();
  ASSERT_EQ(requests.size(), 4u);
  const auto id = requests.at(0).at("ReceiveRequestAttemptId");
  EXPECT_EQ(requests.at(1).at("ReceiveRequestAttemptId"), id);
  EXPECT_NE(requests.at(2).at("ReceiveRequestAttemptId"), id);
  EXPECT_FALSE(requests.at(3).contains("ReceiveRequestAttemptId"));
}

TEST_F(SqsClientTest, many_are_deleted_in_batches) {
  batches([](int, const json& entry) -> std::optional<json> {
    if (entry["ReceiptHandle"] == "old")
      return json{{"SenderFault", true}, {"Code", "ReceiptHandleIsInvalid"}};
    return std::nullopt;
  });
  std::vector<std::string> handles(12, "h");
  handles[11] = "old";
  const BatchReport report = client().delete_many(handles);
  EXPECT_EQ(report.sent.size(), 11u);
  EXPECT_EQ(report.errors.at(11).facts().code, "ReceiptHandleIsInvalid");
  EXPECT_EQ(asked().at(1)["QueueUrl"], server.url("/123/queue"));
  EXPECT_EQ(asked().at(1)["Entries"].size(), 2u);
}

TEST_F(SqsClientTest, what_is_out_of_range_is_refused_without_asking) {
  auto queue = client();
  const std::vector<std::function<void()>> calls{
      [&] { queue.receive({.max = 0}); },
      [&] { queue.receive({.max = 11}); },
      [&] { queue.receive({.wait = std::chrono::seconds{21}}); },
      [&] { queue.receive({.visibility = std::chrono::seconds{43'201}}); },
      [&] { queue.change_visibility("h", std::chrono::seconds{-1}); },
      [&] { queue.change_visibility("", std::chrono::seconds{1}); },
      [&] { queue.delete_message(""); },
      [&] { client({.queue_url = "not a url"}); },
      [&] { client({.queue_url = server.url("/")}); },
      [&] { client({.queue_url = "http://user:password@127.0.0.1/1/q"}); },
      [&] { client({.queue_url = server.url("/1/q?key=secret")}); },
      [&] { client({.queue_url = server.url("/1/\xff")}); },
      [&] { client({.endpoint = "http://user:password@127.0.0.1"}); },
      [&] { client({.endpoint = "http://127.0.0.1/?key=secret"}); },
      [&] { queue.delete_message("\xff"); },
      [&] { client({.max_message_bytes = 0}); },
      [&] { client({.max_message_bytes = 2 << 20}); }};
  for (std::size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(error_of(calls[i]).kind(), Kind::refused) << i;
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(SqsClientTest, a_stop_ends_a_long_poll) {
  const test::Gate gate;
  server.on("/", script().read_body().wait(gate).stall());
  auto queue = client();
  std::stop_source stop;
  std::jthread stopper{[&] {
    gate.reached();
    stop.request_stop();
    gate.open();
  }};
  EXPECT_EQ(error_of([&] { queue.receive({}, {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
}

TEST_F(SqsClientTest, a_poll_whose_retries_are_spent_waits_before_it_says_so) {
  server.on("/", respond(500, {}, ""));
  Client queue = client();
  const auto spent = [&] {
    return error_of([&] { queue.delete_message("handle"); }).facts().quota_exhausted;
  };
  while (!spent()) {
  }
  const auto begun = std::chrono::steady_clock::now();
  for (int poll = 0; poll < 6; ++poll)
    EXPECT_TRUE(error_of([&] { queue.receive(); }).facts().quota_exhausted);
  // Six draws from 0 to 1 s: all together are less than this once in a million times.
  EXPECT_GT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds{300});
}

TEST_F(SqsClientTest, an_answer_that_is_no_json_is_corrupt) {
  server.on("/", respond(200, {}, "<html>"));
  EXPECT_EQ(error_of([&] { client().receive(); }).kind(), Kind::corrupt);
}

}  // namespace
}  // namespace penstock::sqs
