#include "penstock/aws/clock_offsets.h"

#include "penstock/http/client.h"

namespace penstock::aws {
namespace {

struct Entry {
  std::weak_ptr<http::Client> client;
  std::shared_ptr<ClockOffsets> offsets;
};

struct Registry {
  std::mutex mutex;
  std::map<const http::Client*, Entry> entries;
};

// Never destroyed: a client may outlive static destruction.
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

}  // namespace

std::shared_ptr<ClockOffsets> ClockOffsets::of(const std::shared_ptr<http::Client>& client) {
  auto& all = registry();
  const std::lock_guard lock{all.mutex};
  std::erase_if(all.entries, [](const auto& item) { return item.second.client.expired(); });
  auto& entry = all.entries[client.get()];
  if (!entry.offsets) entry = {client, std::make_shared<ClockOffsets>()};
  return entry.offsets;
}

std::shared_ptr<ClockOffsets> ClockOffsets::find(const http::Client& client) {
  auto& all = registry();
  const std::lock_guard lock{all.mutex};
  const auto found = all.entries.find(&client);
  if (found == all.entries.end() || found->second.client.expired()) return nullptr;
  return found->second.offsets;
}

std::chrono::system_clock::duration ClockOffsets::of_host(const std::string& host) const {
  const std::lock_guard lock{mutex_};
  const auto found = offsets_.find(host);
  return found == offsets_.end() ? std::chrono::system_clock::duration{0} : found->second;
}

void ClockOffsets::learn(const std::string& host, std::chrono::system_clock::duration offset) {
  const std::lock_guard lock{mutex_};
  if (offsets_.size() >= kMaxHosts) offsets_.clear();
  offsets_[host] = offset;
}

}  // namespace penstock::aws
