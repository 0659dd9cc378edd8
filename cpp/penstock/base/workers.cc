#include "penstock/base/workers.h"

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"

namespace penstock {

struct Workers::State {
  using Threads = std::list<std::thread>;

  explicit State(Options given) : options(given) {}

  void start_thread();
  void work(Threads::iterator self);
  void join_gone();

  const Options options;
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<std::function<void()>> queue;
  std::size_t idle = 0;
  bool closing = false;
  Threads threads;
  Threads gone;  // left by themselves after idling; joined by whoever comes next
};

// Called with the mutex held.
void Workers::State::start_thread() {
  const auto self = threads.emplace(threads.end());
  try {
    *self = std::thread{[this, self] { work(self); }};
  } catch (const std::system_error& error) {
    threads.erase(self);
    if (!threads.empty()) return;  // the ones there are will come to it
    queue.pop_back();
    throw Error{
        Kind::busy, std::string{"no thread could be started: "} + error.what(), {.doing = "start a worker"}};
  }
}

void Workers::State::work(Threads::iterator self) {
  std::unique_lock lock{mutex};
  while (true) {
    ++idle;
    const bool woken =
        base::wait_for(changed, lock, options.idle, [this] { return closing || !queue.empty(); });
    --idle;
    if (queue.empty()) {
      if (!woken || closing) break;
      continue;
    }
    auto job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it captured dies here, not under the lock
    lock.lock();
  }
  if (!closing) gone.splice(gone.end(), threads, self);
}

void Workers::State::join_gone() {
  Threads leaving;
  {
    const std::lock_guard lock{mutex};
    leaving.swap(gone);
  }
  for (auto& thread : leaving) thread.join();
}

Workers::Workers() : Workers(Options{}) {}

Workers::Workers(Options options) : state_(std::make_unique<State>(options)) {}

Workers::~Workers() {
  {
    const std::lock_guard lock{state_->mutex};
    state_->closing = true;
  }
  state_->changed.notify_all();
  for (auto& thread : state_->threads) thread.join();
  state_->join_gone();
}

void Workers::run(std::function<void()> job) {
  state_->join_gone();
  const std::lock_guard lock{state_->mutex};
  state_->queue.push_back(std::move(job));
  const bool waiting_for_a_thread = state_->queue.size() > state_->idle;
  if (waiting_for_a_thread && !state_->closing && state_->threads.size() < state_->options.max_threads) {
    state_->start_thread();
  } else {
    state_->changed.notify_one();
  }
}

std::size_t Workers::threads() const {
  const std::lock_guard lock{state_->mutex};
  return state_->threads.size();
}

}  // namespace penstock
