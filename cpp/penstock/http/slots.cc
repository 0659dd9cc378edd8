#include "penstock/http/slots.h"

#include <algorithm>

namespace penstock::http {

bool Slots::take(const std::string& origin, int per_host, Waiter& waiter) {
  Host& host = hosts_[origin];
  if (active_ < in_all_ && host.active < per_host && host.queue.empty()) {
    ++active_;
    ++host.active;
    return true;
  }
  host.queue.push_back({tickets_++, per_host, &waiter});
  ++waiting_;
  return false;
}

void Slots::leave(const std::string& origin, const Waiter& waiter) {
  const auto host = hosts_.find(origin);
  if (host == hosts_.end()) return;
  auto& queue = host->second.queue;
  waiting_ -= std::erase_if(queue, [&](const Waiting& entry) { return entry.waiter == &waiter; });
  grant();  // whoever stood behind it may have a higher limit of its own
}

void Slots::release(const std::string& origin) {
  const auto host = hosts_.find(origin);
  --host->second.active;
  --active_;
  if (host->second.active == 0 && host->second.queue.empty()) hosts_.erase(host);
  grant();
}

int Slots::waiting(const std::string& origin) const {
  const auto host = hosts_.find(origin);
  return host == hosts_.end() ? 0 : static_cast<int>(host->second.queue.size());
}

void Slots::grant() {
  while (waiting_ > 0 && active_ < in_all_) {
    Host* host = next();
    if (!host) return;
    Waiter* waiter = host->queue.front().waiter;
    host->queue.pop_front();
    --waiting_;
    ++host->active;
    ++active_;
    waiter->slot_granted();
  }
}

Slots::Host* Slots::next() {
  Host* first = nullptr;
  for (auto& [origin, host] : hosts_) {
    if (host.queue.empty() || host.active >= host.queue.front().per_host) continue;
    if (!first || host.queue.front().ticket < first->queue.front().ticket) first = &host;
  }
  return first;
}

}  // namespace penstock::http
