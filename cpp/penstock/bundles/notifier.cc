#include "penstock/bundles/notifier.h"

#include <algorithm>
#include <optional>
#include <string>

#include "penstock/bundles/names.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kMaxIdBytes = 128;

// What SQS takes as the id of a group or of a message: printable ASCII without spaces; of all else its
// digest.
std::string fifo_id(const std::string& text) {
  const bool taken = text.size() <= kMaxIdBytes &&
                     std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return taken ? text : sha256_hex(text);
}

}  // namespace

sqs::Message SqsNotifier::message(const Sealed& sealed, std::string_view recipe_id) const {
  sqs::Message message{.body = message_body(sealed, recipe_id)};
  const auto attribute = [&message](const char* name, std::string_view value) {
    if (!value.empty()) message.attributes[name] = {.value = std::string{value}};  // a queue takes none empty
  };
  attribute("bundle_id", sealed.ref.bid);
  attribute("recipe_id", recipe_id);
  attribute("completion_timestamp", sealed.receipt.completed_at);
  if (queue_->fifo()) {
    message.group_id = recipe_id.empty() ? "default" : fifo_id(std::string{recipe_id});
    message.dedup_id = dedup_id_ ? std::optional{fifo_id(sealed.ref.bid)} : std::nullopt;
  }
  return message;
}

void SqsNotifier::publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) {
  queue_->send(message(sealed, recipe_id), call);
}

void SqsNotifier::check(const Sealed& sealed, std::string_view recipe_id) const {
  sqs::check_message(message(sealed, recipe_id), queue_->fifo(),
                     std::min(max_message_bytes_, queue_->config().max_message_bytes));
}

}  // namespace penstock::bundles
