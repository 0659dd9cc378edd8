#include "penstock/http/delivery.h"

namespace penstock::http {

void Delivery::opened() {
  open_ = true;
  settle(std::nullopt);
}

void Delivery::settle(std::optional<Error> failure) {
  const std::lock_guard lock(arrival_->mutex);
  arrival_->failure = std::move(failure);
  arrival_->settled = true;
  arrival_->changed.notify_all();
}

// All or nothing, as libcurl wants it.
Delivery::Took Delivery::take(Bytes bytes) try {
  if (ring_.room() < bytes.size()) return Took::nothing;
  ring_.try_write(bytes);
  delivered_ += bytes.size();
  return Took::all;
} catch (const Error&) {
  return Took::stop;
}

void Delivery::finish() try { ring_.finish(); } catch (const Error&) {
  // The reader left before the end: nobody to tell.
}

void Delivery::fail(const Error& error) {
  if (open_) return ring_.fail(error);
  settle(error);
}

}  // namespace penstock::http
