// Who is told of a bundle once it is visible.
#pragma once

#include <memory>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/bundles/documents.h"
#include "penstock/sqs/client.h"

namespace penstock::bundles {

// Threads: shared freely; recovery publishes several bundles at once.
class Notifier {
 public:
  virtual ~Notifier() = default;
  // Once more is allowed: who listens drops repeats by the BID.
  virtual void publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) = 0;
  // Throws Error(refused) for what could never be published. Called before anything is visible, with numbers
  // in the receipt that are at least as long as those to come.
  virtual void check(const Sealed& sealed, std::string_view recipe_id) const = 0;
};

// One message to one queue. A FIFO queue orders by recipe and drops a repeat of the BID.
class SqsNotifier : public Notifier {
 public:
  explicit SqsNotifier(std::shared_ptr<sqs::Client> queue, std::uint64_t max_message_bytes = 262'144,
                       bool dedup_id = true)
      : queue_(std::move(queue)), max_message_bytes_(max_message_bytes), dedup_id_(dedup_id) {}

  void publish(const Sealed& sealed, std::string_view recipe_id, const Call& call) override;
  void check(const Sealed& sealed, std::string_view recipe_id) const override;

 private:
  sqs::Message message(const Sealed& sealed, std::string_view recipe_id) const;

  std::shared_ptr<sqs::Client> queue_;
  std::uint64_t max_message_bytes_;
  bool dedup_id_;
};

}  // namespace penstock::bundles
