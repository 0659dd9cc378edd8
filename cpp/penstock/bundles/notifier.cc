#include "penstock/bundles/notifier.h"

#include <string>

#include "penstock/bundles/names.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kMaxDedupBytes = 128;

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
    message.group_id = recipe_id.empty() ? "default" : std::string{recipe_id};
    if (dedup_id_)
      message.dedup_id = sealed.ref.bid.size() > kMaxDedupBytes ? sha256_hex(sealed.ref.bid) : sealed.ref.bid;
  }
  return message;
}

void SqsNotifier::publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) {
  queue_->send(message(sealed, recipe_id), call);
}

void SqsNotifier::check(const Sealed& sealed, std::string_view recipe_id) const {
  sqs::check_message(message(sealed, recipe_id), queue_->fifo(), max_message_bytes_);
}

}  // namespace penstock::bundles
