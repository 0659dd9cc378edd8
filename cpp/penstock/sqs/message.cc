#include "penstock/sqs/message.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/base/base64.h"
#include "penstock/base/json.h"
#include "penstock/base/units.h"
#include "penstock/base/utf8.h"
#include "penstock/streams/hash.h"

namespace penstock::sqs {
namespace {

constexpr std::size_t kMaxAttributes = 10, kMaxAttributeName = 256, kMaxId = 128;
constexpr std::chrono::seconds kMaxDelay{900};

Error refused(std::string message, std::string_view code = {}) {
  return {Kind::refused,
          std::move(message),
          {.side = Side::sink, .doing = "send to a queue", .code = std::string{code}}};
}

// XML 1.0's Char, in text known to be UTF-8: no controls but tab, LF and CR, and neither U+FFFE nor U+FFFF.
bool is_xml_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') return false;
    const std::string_view three = text.substr(i, 3);
    if (three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") return false;
  }
  return true;
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
}

bool is_attribute_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxAttributeName || !std::ranges::all_of(name, is_word_character))
    return false;
  if (name.front() == '.' || name.back() == '.' || name.find("..") != name.npos) return false;
  std::string lower{name};
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !lower.starts_with("aws.") && !lower.starts_with("amazon.");
}

std::string_view base_type(std::string_view type) {
  return type.substr(0, type.find('.'));
}

bool is_id(std::string_view id) {
  return id.size() <= kMaxId && std::ranges::all_of(id, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

void check_attribute(const std::string& name, const Attribute& attribute) {
  if (!is_attribute_name(name))
    throw refused(
        fmt::format("{:?} is no name of a message attribute: 1 to 256 of A-Z a-z 0-9 _ - and single dots "
                    "inside, not beginning with AWS. or Amazon.",
                    name));
  const std::string_view type = base_type(attribute.type);
  if ((type != "String" && type != "Number" && type != "Binary") ||
      attribute.type.size() > kMaxAttributeName || !std::ranges::all_of(attribute.type, is_word_character))
    throw refused(fmt::format("the attribute {:?} has the type {:?}: give String, Number or Binary", name,
                              attribute.type));
  if (attribute.value.empty()) throw refused(fmt::format("the attribute {:?} is empty; leave it out", name));
  if (type != "Binary" && !(is_utf8(attribute.value) && is_xml_text(attribute.value)))
    throw refused(fmt::format("the attribute {:?} holds what is no text of XML", name));
}

void check_queue_fields(const Message& message, bool fifo) {
  const std::string dedup_id = message.dedup_id.value_or("");
  if (!is_id(message.group_id) || !is_id(dedup_id))
    throw refused("a group or deduplication id has up to 128 visible characters of ASCII");
  if (fifo && message.group_id.empty()) throw refused("a FIFO queue needs a group_id");
  if (!fifo && !dedup_id.empty()) throw refused("only a FIFO queue takes a dedup_id");
  if (!message.delay) return;
  if (fifo) throw refused("a FIFO queue takes no delay of one message; set the queue's");
  if (message.delay->count() < 0 || *message.delay > kMaxDelay)
    throw refused("a message is delayed 0 to 900 seconds");
}

std::string md5_of(std::string_view text) {
  Hasher hasher{Algorithm::md5};
  hasher.update(as_bytes(text));
  return hasher.digest().hex();
}

std::string sha256_of(std::string_view text) {
  Hasher hasher{Algorithm::sha256};
  hasher.update(as_bytes(text));
  return hasher.digest().hex();
}

Error damaged(const Received& received, std::string_view how) {
  return {Kind::corrupt,
          fmt::format("message {} of a queue {}; its receipt handle is {}", received.id, how,
                      received.receipt_handle),
          {.side = Side::source, .doing = "receive"}};
}

std::optional<Attribute> attribute_from(const nlohmann::json& json) {
  Attribute attribute{.value = text_at(json, "StringValue"), .type = text_at(json, "DataType")};
  if (base_type(attribute.type) != "Binary") return attribute;
  auto bytes = decode_base64(text_at(json, "BinaryValue"));
  if (!bytes) return std::nullopt;
  attribute.value = *std::move(bytes);
  return attribute;
}

}  // namespace

std::uint64_t counted_bytes(const Message& message) {
  std::uint64_t bytes = message.body.size();
  for (const auto& [name, attribute] : message.attributes)
    bytes += name.size() + attribute.type.size() + attribute.value.size();
  return bytes;
}

void check_message(const Message& message, bool fifo, std::uint64_t max_bytes) {
  if (message.body.empty()) throw refused("a queue takes no empty message");
  if (!is_utf8(message.body) || !is_xml_text(message.body))
    throw refused("a message is text that XML can hold: UTF-8, no control characters but tab, LF and CR");
  if (message.attributes.size() > kMaxAttributes)
    throw refused(
        fmt::format("a message has up to 10 attributes, this one has {}", message.attributes.size()));
  for (const auto& [name, attribute] : message.attributes) check_attribute(name, attribute);
  if (const auto bytes = counted_bytes(message); bytes > max_bytes)
    throw refused(fmt::format("the message has {} with its attributes, the queue takes {}",
                              format_bytes(bytes), format_bytes(max_bytes)),
                  code::kTooLarge);
  check_queue_fields(message, fifo);
}

nlohmann::json to_json(const Message& message, bool fifo) {
  nlohmann::json json{{"MessageBody", message.body}};
  for (const auto& [name, attribute] : message.attributes) {
    const bool binary = base_type(attribute.type) == "Binary";
    json["MessageAttributes"][name] = {
        {"DataType", attribute.type},
        {binary ? "BinaryValue" : "StringValue", binary ? encode_base64(attribute.value) : attribute.value}};
  }
  if (message.delay) json["DelaySeconds"] = message.delay->count();
  if (!message.group_id.empty()) json["MessageGroupId"] = message.group_id;
  if (fifo && message.dedup_id)
    json["MessageDeduplicationId"] = message.dedup_id->empty() ? sha256_of(message.body) : *message.dedup_id;
  return json;
}

Received received_from(const nlohmann::json& json) {
  Received received{.id = text_at(json, "MessageId"),
                    .receipt_handle = text_at(json, "ReceiptHandle"),
                    .body = text_at(json, "Body")};
  if (received.receipt_handle.empty())
    throw Error{Kind::corrupt, "a queue gave what is no message", {.side = Side::source, .doing = "receive"}};
  if (const auto found = json.find("MessageAttributes"); found != json.end() && found->is_object()) {
    for (const auto& [name, value] : found->items()) {
      auto attribute = attribute_from(value);
      if (!attribute) throw damaged(received, "has a Binary attribute that is no base64");
      received.attributes.emplace(name, *std::move(attribute));
    }
  }
  if (const auto found = json.find("Attributes"); found != json.end() && found->is_object())
    for (const auto& item : found->items()) received.system[item.key()] = text_at(*found, item.key().c_str());
  const std::string said = text_at(json, "MD5OfBody");
  if (!said.empty() && said != md5_of(received.body))
    throw damaged(received, "did not arrive as the queue has it");
  return received;
}

Sent sent_from(const nlohmann::json& answer, std::string_view body) {
  Sent sent{.id = text_at(answer, "MessageId"), .sequence_number = text_at(answer, "SequenceNumber")};
  const std::string said = text_at(answer, "MD5OfMessageBody");
  if (sent.id.empty())
    throw Error{Kind::corrupt,
                "the answer to a message does not say what became of it",
                {.side = Side::sink, .doing = "send to a queue"}};
  if (!said.empty() && said != md5_of(body))
    throw Error{Kind::corrupt,
                "the queue got another body than was sent",
                {.side = Side::sink, .doing = "send to a queue", .expected = md5_of(body), .actual = said}};
  return sent;
}

}  // namespace penstock::sqs
