#include "penstock/kv/fork_watch.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include <pthread.h>

namespace penstock::kv {
namespace {

struct Watched {
  std::mutex mutex;
  std::vector<ForkWatch*> all;
};

// Never freed: a store may be dropped after the exit handlers, and a fork may come after them.
Watched& watched() {
  static Watched* const here = new Watched;
  return *here;
}

void before() {
  watched().mutex.lock();
  for (ForkWatch* one : watched().all) one->before_fork();
}

void after(bool in_child) {
  for (ForkWatch* one : watched().all) one->after_fork(in_child);
  watched().mutex.unlock();
}

void listen_once() {
  static const int done = pthread_atfork(&before, [] { after(false); }, [] { after(true); });
  static_cast<void>(done);
}

}  // namespace

void ForkWatch::watch() {
  listen_once();
  const std::lock_guard lock{watched().mutex};
  watched().all.push_back(this);
}

void ForkWatch::unwatch() noexcept {
  const std::lock_guard lock{watched().mutex};
  std::erase(watched().all, this);
}

}  // namespace penstock::kv
