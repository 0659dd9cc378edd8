#include "penstock/http/engines.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include <unistd.h>

#include "penstock/http/engine.h"

namespace penstock::http {
namespace {

struct Here {
  const pid_t process = getpid();
  std::mutex mutex;
  std::vector<std::shared_ptr<Engine>> engines;
};

// Never freed: a client may be dropped after the exit handler, and in a forked child the lock may be held for
// ever.
Here& here() {
  static std::atomic<Here*> place{nullptr};
  Here* found = place.load();
  while (!found || found->process != getpid()) {
    auto fresh = std::make_unique<Here>();
    if (place.compare_exchange_strong(found, fresh.get())) return *fresh.release();
  }
  return *found;
}

}  // namespace

void Engines::add(std::shared_ptr<Engine> engine) {
  Here& all = here();
  std::vector<std::shared_ptr<Engine>> ended;
  {
    const std::lock_guard lock(all.mutex);
    all.engines.push_back(std::move(engine));
    ended = all.engines;
  }
  std::erase_if(ended, [](const auto& one) { return !one->ended(); });
  for (const auto& one : ended) one->close();
}

void Engines::remove(const Engine& engine) {
  Here& all = here();
  std::shared_ptr<Engine> last;  // dies outside the lock
  const std::lock_guard lock(all.mutex);
  const auto found = std::ranges::find(all.engines, &engine, &std::shared_ptr<Engine>::get);
  if (found == all.engines.end()) return;
  last = std::move(*found);
  all.engines.erase(found);
}

void Engines::close_all() {
  Here& all = here();
  std::vector<std::shared_ptr<Engine>> open;
  {
    const std::lock_guard lock(all.mutex);
    open = all.engines;
  }
  for (const auto& one : open) one->ask_to_close();
  for (const auto& one : open) one->close();
}

void Engines::close_all_at_exit() {
  struct Handler {
    Handler() = default;
    Handler(const Handler&) = delete;
    Handler& operator=(const Handler&) = delete;
    ~Handler() { close_all(); }
  };
  static const Handler handler;
}

}  // namespace penstock::http
