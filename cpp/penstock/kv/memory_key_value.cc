#include "penstock/kv/memory_key_value.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"
#include "penstock/kv/fork_watch.h"
#include "penstock/kv/ordered_scan.h"

namespace penstock::kv {
namespace {

struct Item {
  std::string value;
  std::optional<SteadyTime> until;
};
using Items = std::map<std::string, Item, std::less<>>;

}  // namespace

// Life of an item: in items_, and in expiring_ if it has an end. Every use first drops what is over, so what
// is in items_ is alive.
class MemoryKeyValue::State final : private ForkWatch {
 public:
  explicit State(MemoryConfig config)
      : most_(config.max_bytes), clock_(config.clock ? std::move(config.clock) : Clock::system()) {
    watch();
  }
  ~State() { unwatch(); }

  template <class Use>
  auto use(Use&& use) {
    const std::lock_guard lock{mutex_};
    drop_expired();
    return use(items_);
  }

  // Lock held, as for all below.
  void put(std::string_view key, std::string_view value, Ttl ttl) {
    const std::uint64_t bytes = bytes_of(key, value);
    const auto found = items_.find(key);
    const std::uint64_t former = found == items_.end() ? 0 : bytes_of(key, found->second.value);
    if (bytes > most_ || used_ - former > most_ - bytes) refuse(bytes);
    if (found != items_.end()) remove(found);
    Item item{std::string{value}, std::nullopt};
    if (ttl) item.until = clock_->now() + bounded(*ttl);
    const auto placed = items_.emplace(std::string{key}, std::move(item)).first;
    if (placed->second.until) expiring_.emplace(*placed->second.until, placed->first);
    used_ += bytes;
  }
  void remove(Items::iterator item) {
    used_ -= bytes_of(item->first, item->second.value);
    if (item->second.until) expiring_.erase({*item->second.until, item->first});
    items_.erase(item);
  }
  void clear() {
    items_.clear();
    expiring_.clear();
    used_ = 0;
  }
  std::uint64_t used() const { return used_; }

 private:
  static std::uint64_t bytes_of(std::string_view key, std::string_view value) {
    return key.size() + value.size() + kEntryBytes;
  }
  void drop_expired() {
    if (expiring_.empty()) return;
    const SteadyTime now = clock_->now();
    while (!expiring_.empty() && expiring_.begin()->first <= now)
      remove(items_.find(expiring_.begin()->second));
  }
  [[noreturn]] void refuse(std::uint64_t bytes) const {
    const bool never = bytes > most_;
    throw Error{
        never ? Kind::refused : Kind::busy,
        fmt::format("no room in memory: the store holds at most {} bytes; {}", most_,
                    never ? "give it more" : "remove entries, or give it more"),
        {.doing = "put", .subject = "memory", .code = never ? std::string{code::kTooLarge} : "no_space"}};
  }
  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork(bool) noexcept override { mutex_.unlock(); }

  const std::uint64_t most_;
  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  Items items_;
  std::set<std::pair<SteadyTime, std::string>> expiring_;
  std::uint64_t used_ = 0;
};

MemoryKeyValue::MemoryKeyValue(MemoryConfig config) : state_(std::make_shared<State>(std::move(config))) {}
MemoryKeyValue::~MemoryKeyValue() = default;

void MemoryKeyValue::put(std::string_view key, std::string_view value, Ttl ttl, const Call& call) {
  check_key(key);
  check_value(value);
  if (ttl && ttl->count() <= 0) {
    remove(key, call);
    return;
  }
  base::check(call, "put");
  state_->use([&](Items&) { state_->put(key, value, ttl); });
}

std::optional<std::string> MemoryKeyValue::get(std::string_view key, const Call& call) {
  check_key(key);
  base::check(call, "get");
  return state_->use([&](const Items& items) -> std::optional<std::string> {
    const auto found = items.find(key);
    if (found == items.end()) return std::nullopt;
    return found->second.value;
  });
}

bool MemoryKeyValue::remove(std::string_view key, const Call& call) {
  check_key(key);
  base::check(call, "remove");
  return state_->use([&](Items& items) {
    const auto found = items.find(key);
    if (found == items.end()) return false;
    state_->remove(found);
    return true;
  });
}

bool MemoryKeyValue::exists(std::string_view key, const Call& call) {
  check_key(key);
  base::check(call, "exists");
  return state_->use([&](const Items& items) { return items.contains(key); });
}

std::vector<Entry> MemoryKeyValue::range(std::string_view start, const RangeOptions& options,
                                         const Call& call) {
  check_range(start, options);
  base::check(call, "read a range");
  return state_->use([&](const Items& items) {
    Gathered gathered{options};
    for (auto at = items.lower_bound(start); at != items.end() && !gathered.full(); ++at) {
      if (options.end && at->first >= *options.end) break;
      gathered.add(at->first, at->second.value);
    }
    return gathered.take();
  });
}

std::unique_ptr<KeyScan> MemoryKeyValue::scan(std::string_view pattern, const Call& call) {
  check_pattern(pattern);
  auto fetch = [state = state_](std::string_view from, const Call&) {
    return state->use([&](const Items& items) {
      std::vector<std::string> page;
      for (auto at = items.lower_bound(from); at != items.end() && page.size() < kScanPage; ++at)
        page.push_back(at->first);
      return page;
    });
  };
  return std::make_unique<OrderedScan>(pattern, std::move(fetch), call);
}

std::uint64_t MemoryKeyValue::count(const Call& call) {
  base::check(call, "count");
  return state_->use([](const Items& items) { return items.size(); });
}

void MemoryKeyValue::clear(const Call& call) {
  base::check(call, "clear");
  state_->use([&](Items&) { state_->clear(); });
}

std::uint64_t MemoryKeyValue::used_bytes() const {
  return state_->use([&](const Items&) { return state_->used(); });
}

}  // namespace penstock::kv
