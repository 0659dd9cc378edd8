#include "penstock/bundles/lifecycle.h"

#include <chrono>
#include <utility>

#include "penstock/base/wait.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::seconds kDiscardsWithin{1};

Error not_found() {
  return {Kind::refused, "Bundle not found", {.doing = "use a bundle", .code = std::string{code::kNotFound}}};
}

}  // namespace

std::string_view to_string(State state) {
  constexpr std::string_view kNames[] = {"open", "adding", "completing", "completed", "failed", "abandoned"};
  return kNames[static_cast<int>(state)];
}

Lifecycle::Lifecycle(std::function<void(std::string_view)> discard) : discard_(std::move(discard)) {}

Lifecycle::Add Lifecycle::begin_add() {
  const std::lock_guard lock{mutex_};
  if (state_ != State::open && state_ != State::adding) throw not_found();
  state_ = State::adding;
  ++adds_;
  return Add{*this};
}

void Lifecycle::end_add() noexcept {
  std::unique_lock lock{mutex_};
  if (--adds_ == 0 && state_ == State::adding) state_ = State::open;
  discard_if_due(lock);
  changed_.notify_all();
}

bool Lifecycle::begin_completing(const Call& call) {
  std::unique_lock lock{mutex_};
  if (state_ == State::completing) {
    base::wait(changed_, lock, call, "wait for a bundle to be completed",
               [this] { return state_ != State::completing; });
    if (state_ == State::failed) std::rethrow_exception(failure_);
  }
  if (state_ == State::completed) return false;
  if (is_over()) throw not_found();
  state_ = State::completing;
  completing_ = {};
  abandon_wanted_ = false;
  return true;
}

void Lifecycle::wait_for_adds(const Call& call) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "wait for adds to a bundle", [this] { return adds_ == 0; });
}

void Lifecycle::begin_commit() {
  const std::lock_guard lock{mutex_};
  if (abandon_wanted_) throw Error{Kind::cancelled, "the bundle was aborted before it was published"};
  committing_ = true;
}

void Lifecycle::not_committed() {
  const std::lock_guard lock{mutex_};
  committing_ = false;
}

void Lifecycle::completed() {
  const std::lock_guard lock{mutex_};
  state_ = State::completed;
  changed_.notify_all();
}

void Lifecycle::failed(std::exception_ptr why) {
  fail(std::move(why));
  discard();
}

void Lifecycle::fail(std::exception_ptr why) {
  const std::lock_guard lock{mutex_};
  failure_ = std::move(why);
  state_ = abandon_wanted_ && !committing_ ? State::abandoned : State::failed;
  changed_.notify_all();
}

void Lifecycle::discard() noexcept {
  std::unique_lock lock{mutex_};
  discard_if_due(lock);
  changed_.notify_all();
}

std::stop_token Lifecycle::completing_stop() const {
  const std::lock_guard lock{mutex_};
  return completing_.get_token();
}

void Lifecycle::discard_if_due(std::unique_lock<std::mutex>& lock) noexcept {
  if (!is_over() || adds_ > 0 || !discard_) return;
  const auto discard = std::exchange(discard_, nullptr);
  lock.unlock();
  discard(why_);
  lock.lock();
  discarded_ = true;
}

bool Lifecycle::abandon(std::string_view why) noexcept {
  std::unique_lock lock{mutex_};
  if (committing_ || state_ == State::completed) return false;
  if (!is_over()) why_ = why;
  if (state_ == State::completing) {
    abandon_wanted_ = true;
    auto completing = completing_;
    lock.unlock();
    completing.request_stop();
    lock.lock();
  } else {
    state_ = State::abandoned;
  }
  lock.unlock();
  stop_.request_stop();  // outside the lock: who is stopped may end its add on this thread
  lock.lock();
  discard_if_due(lock);
  changed_.notify_all();
  base::wait_for(changed_, lock, kDiscardsWithin,
                 [this] { return discarded_ || committing_ || state_ == State::completed; });
  return !committing_ && state_ != State::completed;
}

bool Lifecycle::make_way() noexcept {
  {
    const std::lock_guard lock{mutex_};
    const bool idle = is_over() || state_ == State::open || (state_ == State::failed && !committing_);
    if (!idle) return false;
  }
  abandon("another bundle of the same BID was started");
  const std::lock_guard lock{mutex_};
  return discarded_;  // else an add still runs, and will take back names that are the new one's by then
}

State Lifecycle::state() const {
  const std::lock_guard lock{mutex_};
  return state_;
}

bool Lifecycle::committed() const {
  const std::lock_guard lock{mutex_};
  return committing_;
}

}  // namespace penstock::bundles
