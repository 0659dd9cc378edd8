#include "penstock/http/slots.h"

#include <algorithm>

namespace penstock::http {

bool Slots::Host::may_go(int per_host) const {
  int counted = 0;
  for (auto at = active.begin(); at != active.end() && at->first <= per_host; ++at) counted += at->second;
  return counted < per_host;
}

// While there is room in all, whoever is queued may not go: else he would have.
bool Slots::take(const std::string& origin, int per_host, Waiter& waiter) {
  Host& host = hosts_[origin];
  if (active_ < in_all_ && host.may_go(per_host)) {
    ++active_;
    host.go(per_host);
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
  if (host->second.active.empty() && queue.empty()) hosts_.erase(host);
}

void Slots::release(const std::string& origin, int per_host) {
  const auto host = hosts_.find(origin);
  const auto active = host->second.active.find(per_host);
  if (--active->second == 0) host->second.active.erase(active);
  --active_;
  if (host->second.active.empty() && host->second.queue.empty()) hosts_.erase(host);
  grant();
}

int Slots::waiting(const std::string& origin) const {
  const auto host = hosts_.find(origin);
  return host == hosts_.end() ? 0 : static_cast<int>(host->second.queue.size());
}

void Slots::grant() {
  while (waiting_ > 0 && active_ < in_all_) {
    const Next next_one = next();
    if (!next_one.host) return;
    const Waiting granted = *next_one.waiting;
    next_one.host->queue.erase(next_one.waiting);
    --waiting_;
    next_one.host->go(granted.per_host);
    ++active_;
    granted.waiter->slot_granted();
  }
}

Slots::Next Slots::next() {
  Next first;
  for (auto& [origin, host] : hosts_) {
    const auto found = std::ranges::find_if(
        host.queue, [&host = host](const Waiting& entry) { return host.may_go(entry.per_host); });
    if (found == host.queue.end()) continue;
    if (!first.host || found->ticket < first.waiting->ticket) first = {&host, found};
  }
  return first;
}

}  // namespace penstock::http
