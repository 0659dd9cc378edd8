#include <algorithm>

#include "penstock/base/wait.h"
#include "penstock/s3/upload.h"

namespace penstock::s3 {

void Flight::hold(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  held_ += bytes;
}

void Flight::release(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  held_ -= bytes;
  changed_.notify_all();
}

std::uint64_t Flight::held() const {
  const std::lock_guard lock{mutex_};
  return held_;
}

void Flight::started() {
  const std::lock_guard lock{mutex_};
  ++in_flight_;
}

void Flight::landed(SentPart part) {
  std::unique_lock lock{mutex_};
  parts_.push_back(std::move(part));
  over(std::move(lock));
}

void Flight::failed(Error error) {
  std::unique_lock lock{mutex_};
  if (!fault_) fault_ = std::move(error);
  lock.unlock();
  stop_.request_stop();  // runs callbacks: not under the lock
  lock.lock();
  over(std::move(lock));
}

void Flight::over(std::unique_lock<std::mutex> lock) {
  std::function<void()> job;
  if (--in_flight_ == 0) job = std::exchange(when_idle_, nullptr);
  changed_.notify_all();
  lock.unlock();
  if (job) job();
}

void Flight::distrust() {
  const std::lock_guard lock{mutex_};
  distrusted_ = true;
}

bool Flight::distrusted() const {
  const std::lock_guard lock{mutex_};
  return distrusted_;
}

int Flight::in_flight() const {
  const std::lock_guard lock{mutex_};
  return in_flight_;
}

void Flight::throw_fault() const {
  const std::lock_guard lock{mutex_};
  if (fault_) throw *fault_;
}

void Flight::wait_for_lane(int lanes, const Call& call) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "upload part", [&] { return fault_ || in_flight_ < lanes; });
}

void Flight::wait_for_release(std::uint64_t bytes, const Call& call) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "wait for room in the Budget", [&] { return fault_ || held_ < bytes; });
}

void Flight::wait_until_landed(const Call& call) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "upload part", [&] { return fault_ || in_flight_ == 0; });
}

void Flight::wait_until_unheld() noexcept {
  for (;;) {
    try {
      std::unique_lock lock{mutex_};
      base::wait(changed_, lock, Call{}, "stop parts", [&] { return held_ == 0; });
      return;
    } catch (...) {  // this thread's hook: leaving would leave borrowed memory in use
    }
  }
}

void Flight::when_idle(std::function<void()> job) {
  {
    const std::lock_guard lock{mutex_};
    if (in_flight_ > 0) {
      when_idle_ = std::move(job);
      return;
    }
  }
  job();
}

std::vector<SentPart> Flight::take_parts() {
  const std::lock_guard lock{mutex_};
  std::ranges::sort(parts_, {}, &SentPart::number);
  return std::move(parts_);
}

}  // namespace penstock::s3
