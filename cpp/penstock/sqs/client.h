// One queue of SQS, or of what speaks its JSON protocol.
//
// Life:     made without I/O; credentials are loaded by the first request.
// Threads:  shared freely.
// Memory:   of what goes one request, at most 1 MiB and its JSON; of what comes up to 64 MiB, ten escaped
//           messages.
// Failure:  Error(refused) before any I/O for what no queue takes; Error(missing, QueueDoesNotExist);
//           Error(corrupt) if what arrived is not what was sent. A request whose answer is lost is repeated:
//           a FIFO queue drops the repeat of a message and gives the same messages again; a standard one may
//           have the message twice, and hides what it gave until its visibility timeout is over.
// Source:   "Amazon SQS API Reference", AWS JSON 1.0.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/aws/credentials.h"
#include "penstock/base/call.h"
#include "penstock/base/units.h"
#include "penstock/http/client.h"
#include "penstock/sqs/batch.h"
#include "penstock/sqs/message.h"

namespace penstock::sqs {

struct Config {
  std::string queue_url{};  // as the service names it; FIFO if it ends in .fifo
  std::string region{};     // "": of the URL's host, AWS_REGION, the profile's, us-east-1
  // "": AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the profile's, the queue URL's own origin.
  std::string endpoint{};
  // Of a message with its attributes, and of a batch. A queue may be set lower; older emulators stop at
  // 256 KiB.
  std::uint64_t max_message_bytes = 1_MiB;
  std::optional<aws::ChainInputs> credentials{};  // unset: the process's chain
  std::shared_ptr<http::Client> client{};         // null: the process default
};

struct ReceiveOptions {
  int max = 10;                                      // 1..10
  std::chrono::seconds wait{20};                     // 0..20: returns as soon as there is one
  std::optional<std::chrono::seconds> visibility{};  // 0..43,200; unset: the queue's own
};

class Client {
 public:
  // Throws Error(refused) for a URL that is none or holds a password, and limits out of range.
  explicit Client(Config config);

  Sent send(const Message& message, const Call& call = {});
  // In requests of up to 10 and max_message_bytes; an order across a failed entry is not kept. Throws
  // Error(refused) before any is sent if one could never be.
  BatchReport send_many(std::span<const Message> messages, const Call& call = {});

  std::vector<Received> receive(const ReceiveOptions& options = {}, const Call& call = {});
  void delete_message(const std::string& receipt_handle, const Call& call = {});
  BatchReport delete_many(std::span<const std::string> receipt_handles, const Call& call = {});
  void change_visibility(const std::string& receipt_handle, std::chrono::seconds visibility,
                         const Call& call = {});

  bool fifo() const { return fifo_; }
  const Config& config() const { return config_; }

 private:
  nlohmann::json ask(const char* operation, nlohmann::json arguments, const Call& call,
                     std::optional<std::chrono::milliseconds> first_byte = {});
  nlohmann::json poll(nlohmann::json arguments, std::chrono::seconds wait, const Call& call);

  Config config_;
  std::string url_;  // where requests go
  bool fifo_, is_aws_;
  std::shared_ptr<http::Client> http_;
  std::shared_ptr<aws::CredentialCache> credentials_;
};

}  // namespace penstock::sqs
