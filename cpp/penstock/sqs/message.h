// What a queue takes and gives, and what of it can be refused without asking.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "penstock/base/error.h"

namespace penstock::sqs {

struct Attribute {
  std::string value{};          // of a Binary its bytes
  std::string type = "String";  // String, Number or Binary, perhaps with a label: "Number.int"
};
using Attributes = std::map<std::string, Attribute>;

struct Message {
  std::string body{};
  Attributes attributes{};
  std::optional<std::chrono::seconds> delay{};  // 0..900; unset: the queue's own
  std::string group_id{};                       // a FIFO queue needs one
  std::optional<std::string> dedup_id = "";     // FIFO: "" is the SHA-256 of the body; unset: none
};

struct Sent {
  std::string id{}, sequence_number{};  // the second of FIFO queues
};

struct Received {
  std::string id{}, receipt_handle{}, body{};
  Attributes attributes{};
  std::map<std::string, std::string> system{};  // "ApproximateReceiveCount", "SentTimestamp", ..
};

// Bytes as the service counts them: the body, and the names, types and values of the attributes.
std::uint64_t counted_bytes(const Message& message);

// Throws Error(refused) for what no queue takes: an empty body, text that is no UTF-8 or holds characters
// that XML has not, more than `max_bytes`, more than 10 attributes or misnamed ones, a delay or ids out of
// range, a FIFO message without a group.
void check_message(const Message& message, bool fifo, std::uint64_t max_bytes);

// The members of SendMessage, and of an entry of SendMessageBatch.
nlohmann::json to_json(const Message& message, bool fifo);

// Throws Error(corrupt) for what is no message, and for a body whose MD5 is not the one beside it; its words
// name the message's id and receipt handle, so that it can be deleted.
Received received_from(const nlohmann::json& json);

// Throws Error(corrupt) if the answer to a message says nothing of it, or the queue got another body than was
// sent.
Sent sent_from(const nlohmann::json& answer, std::string_view body);

}  // namespace penstock::sqs
