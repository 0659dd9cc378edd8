#include "penstock/bundles/window.h"

#include <utility>

#include "penstock/base/wait.h"

namespace penstock::bundles {

void Window::run(std::function<void()> job, const Call& call) {
  if (auto before = std::exchange(held_, std::move(job))) start(std::move(before), call);
}

void Window::start(std::function<void()> job, const Call& call) {
  {
    std::unique_lock lock{mutex_};
    base::wait(changed_, lock, call, "recover bundles", [this] { return running_ < most_; });
    if (failure_) std::rethrow_exception(failure_);
    ++running_;
  }
  try {
    workers_.run([this, job = std::move(job)] { carry_out(job); });
  } catch (...) {
    const std::lock_guard lock{mutex_};
    --running_;
    throw;
  }
}

void Window::carry_out(const std::function<void()>& job) noexcept {
  std::exception_ptr failure;
  try {
    job();
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock{mutex_};
  --running_;
  if (!failure_) failure_ = std::move(failure);
  changed_.notify_all();
}

void Window::finish() {
  if (const auto last = std::exchange(held_, nullptr)) {
    {
      const std::lock_guard lock{mutex_};
      ++running_;
    }
    carry_out(last);
  }
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, {}, "recover bundles", [this] { return running_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace penstock::bundles
