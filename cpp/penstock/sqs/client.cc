#include "penstock/sqs/client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/signing_policy.h"
#include "penstock/base/backoff.h"
#include "penstock/base/json.h"
#include "penstock/base/redact.h"
#include "penstock/base/utf8.h"
#include "penstock/base/uuid.h"
#include "penstock/base/wait.h"
#include "penstock/http/url.h"

namespace penstock::sqs {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 1_MiB;
constexpr std::size_t kMaxAnswerBytes = 64_MiB;  // 10 messages of 1 MiB, each byte escaped to six
constexpr std::size_t kMaxDepth = 16;
constexpr std::chrono::seconds kMaxWait{20}, kMaxVisibility{43'200};
constexpr std::chrono::milliseconds kAnswerAfterWait{10'000}, kPollBase{1'000};
constexpr int kConnectionsPerHost = 64;  // each long poll holds one
// AWS drops an idle connection after about 5 s.
constexpr std::chrono::seconds kIdleConnection{4};

Error refused(std::string message) {
  return {Kind::refused, std::move(message), {.doing = "ask a queue"}};
}

bool is_aws_host(std::string_view host) {
  return host.find(".amazonaws.com") != host.npos || host.ends_with(".api.aws");
}

// Of a host such as sqs.eu-west-2.amazonaws.com or eu-west-2.queue.amazonaws.com: the label that reads like a
// region, two letters, words and a digit. "" without one.
std::string region_in(std::string_view host) {
  if (!is_aws_host(host)) return {};
  for (std::size_t at = 0; at < host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    const std::string_view label = host.substr(at, end - at);
    const bool dashed = label.size() > 5 && label[2] == '-';
    if (dashed && std::isdigit(static_cast<unsigned char>(label.back()))) return std::string{label};
    at = end + 1;
  }
  return host == "queue.amazonaws.com" ? "us-east-1" : "";
}

// Where the requests of a queue go: the service's own address, behind a path or not.
http::Url service_url(const std::string& endpoint, const http::Url& queue) {
  http::Url url = endpoint.empty() ? queue : http::Url::parse(endpoint);
  if (url.has_userinfo || !url.query.empty())
    throw refused("the endpoint " + url.display() +
                  " must be a plain http or https URL, without user and query; give credentials");
  if (endpoint.empty()) url.path = "/";
  if (!url.path.ends_with('/')) url.path += '/';
  return url;
}

aws::ChainInputs chain_inputs(const Config& config) {
  aws::ChainInputs inputs = config.credentials ? *config.credentials : aws::ChainInputs::from_process();
  if (!config.region.empty()) inputs.region_hint = config.region;
  return inputs;
}

json parsed(const http::Response& response) {
  if (response.body.empty()) return json::object();
  std::string wrong = "it is no object";
  try {
    json answer = parse_json(response.body, kMaxDepth, kMaxAnswerBytes);
    if (answer.is_object()) return answer;
  } catch (const Error& error) {
    wrong = error.message();
  }
  throw Error{Kind::corrupt,
              "the answer is not one of a queue: " + wrong + "; see whether the endpoint is right",
              {.status = response.status}};
}

void check_handle(const std::string& handle) {
  if (handle.empty() || !is_utf8(handle))
    throw refused("this is no receipt handle: give what receive() gave");
}

}  // namespace

Client::Client(Config config) : config_(std::move(config)) {
  const http::Url queue = http::Url::parse(config_.queue_url);
  if (queue.has_userinfo || !queue.query.empty())
    throw refused("a queue's URL with user, password or query in it; give credentials: " + queue.display());
  if (!is_utf8(config_.queue_url)) throw refused("a queue's URL that is no UTF-8");
  if (queue.path == "/") throw refused("a queue's URL ends in the queue's name: " + queue.display());
  if (config_.max_message_bytes < 1 || config_.max_message_bytes > kMaxBytes)
    throw refused(fmt::format("max_message_bytes is 1 to {}", kMaxBytes));
  fifo_ = config_.queue_url.ends_with(".fifo");
  if (config_.region.empty()) config_.region = region_in(queue.host);
  const aws::ChainInputs inputs = chain_inputs(config_);
  const std::string endpoint = config_.endpoint.empty() ? aws::endpoint_for(inputs, "sqs") : config_.endpoint;
  const http::Url service = service_url(endpoint, queue);
  url_ = service.text();
  is_aws_ = is_aws_host(service.host);
  if (config_.region.empty()) config_.region = aws::region_for(inputs);
  http_ = config_.client ? config_.client : http::Client::process_default();
  credentials_ = aws::credentials_for(inputs, http_);
}

json Client::ask(const char* operation, json arguments, const Call& call,
                 std::optional<std::chrono::milliseconds> first_byte) {
  arguments["QueueUrl"] = config_.queue_url;
  http::Request request{.method = "POST", .url = url_};
  request.headers.add("content-type", "application/x-amz-json-1.0");
  request.headers.add("x-amz-target", std::string{"AmazonSQS."} + operation);
  request.headers.add("x-amzn-query-mode", "true");
  request.body = http::text_payload(arguments.dump());
  http::CallOptions options;
  options.call = call;
  options.policy = aws::signing_policy(
      http_, credentials_,
      {.service = "sqs", .region = config_.region, .payload = aws::SigningOptions::Payload::hash});
  options.idempotent = true;  // better twice than not at all: the queue promises no more itself
  options.max_body_bytes = kMaxAnswerBytes;
  options.first_byte = first_byte;
  options.connections_per_host = http_->options().connections_per_host.value_or(kConnectionsPerHost);
  if (is_aws_) options.idle_connection = kIdleConnection;
  try {
    return parsed(http_->send(std::move(request), std::move(options)));
  } catch (Error& error) {
    error.facts().doing = operation;
    error.facts().subject = redact_url(config_.queue_url);
    throw;
  }
}

Sent Client::send(const Message& message, const Call& call) {
  check_message(message, fifo_, config_.max_message_bytes);
  return sent_from(ask("SendMessage", to_json(message, fifo_), call), message.body);
}

BatchReport Client::send_many(std::span<const Message> messages, const Call& call) {
  for (const Message& message : messages) check_message(message, fifo_, config_.max_message_bytes);
  const BatchEntries entries{.count = messages.size(),
                             .bytes = [&](std::size_t number) { return counted_bytes(messages[number]); },
                             .json = [&](std::size_t number) { return to_json(messages[number], fifo_); }};
  return carry_out(
      entries, config_.max_message_bytes,
      [&](json batch) { return ask("SendMessageBatch", std::move(batch), call); },
      [&](std::size_t number, const json& answer) { return sent_from(answer, messages[number].body); }, call);
}

std::vector<Received> Client::receive(const ReceiveOptions& options, const Call& call) {
  if (options.max < 1 || options.max > 10) throw refused("receive takes 1 to 10 messages");
  if (options.wait < std::chrono::seconds{0} || options.wait > kMaxWait)
    throw refused("receive waits 0 to 20 seconds");
  json arguments{{"MaxNumberOfMessages", options.max},
                 {"WaitTimeSeconds", options.wait.count()},
                 {"MessageAttributeNames", {"All"}},
                 {"AttributeNames", {"All"}}};
  if (options.visibility) {
    if (*options.visibility < std::chrono::seconds{0} || *options.visibility > kMaxVisibility)
      throw refused("a message is hidden for 0 to 43,200 seconds");
    arguments["VisibilityTimeout"] = options.visibility->count();
  }
  // By this id a repeat after a lost answer gets the same messages, which else were hidden and held up their
  // groups.
  if (fifo_) arguments["ReceiveRequestAttemptId"] = random_uuid();
  const json answer = poll(std::move(arguments), options.wait, call);
  std::vector<Received> all;
  if (const auto found = answer.find("Messages"); found != answer.end() && found->is_array())
    for (const json& message : *found) all.push_back(received_from(message));
  return all;
}

// With its retries spent it would fail at once, and who receives in a loop would spin.
json Client::poll(json arguments, std::chrono::seconds wait, const Call& call) {
  const auto first_byte = wait + std::min(http_->options().first_byte, kAnswerAfterWait);
  try {
    return ask("ReceiveMessage", std::move(arguments), call, first_byte);
  } catch (const Error& error) {
    if (!error.facts().quota_exhausted) throw;
    const Error spent = error;
    try {
      base::sleep(Backoff{}.before_retry(1, kPollBase), call, "receive");
    } catch (const Error& stopped) {
      if (stopped.kind() == Kind::cancelled) throw;  // a deadline that passes meanwhile is not the reason
    }
    throw spent;
  }
}

void Client::delete_message(const std::string& receipt_handle, const Call& call) {
  check_handle(receipt_handle);
  ask("DeleteMessage", {{"ReceiptHandle", receipt_handle}}, call);
}

BatchReport Client::delete_many(std::span<const std::string> receipt_handles, const Call& call) {
  for (const std::string& handle : receipt_handles) check_handle(handle);
  const BatchEntries entries{
      .count = receipt_handles.size(),
      .bytes = [](std::size_t) { return 0; },
      .json = [&](std::size_t number) { return json{{"ReceiptHandle", receipt_handles[number]}}; }};
  return carry_out(
      entries, config_.max_message_bytes,
      [&](json batch) { return ask("DeleteMessageBatch", std::move(batch), call); },
      [](std::size_t, const json&) { return Sent{}; }, call);
}

void Client::change_visibility(const std::string& receipt_handle, std::chrono::seconds visibility,
                               const Call& call) {
  check_handle(receipt_handle);
  if (visibility < std::chrono::seconds{0} || visibility > kMaxVisibility)
    throw refused("a message is hidden for 0 to 43,200 seconds");
  ask("ChangeMessageVisibility",
      {{"ReceiptHandle", receipt_handle}, {"VisibilityTimeout", visibility.count()}}, call);
}

}  // namespace penstock::sqs
