#include "runtime.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>

#include "penstock/files/fetch_many.h"
#include "penstock/http/client.h"

#include "convert.h"
#include "gil.h"

namespace py = pybind11;

namespace penstock::python {
namespace {

std::atomic<Runtime*> current{nullptr};
std::mutex making;

class LogLine : public Runtime::Notice {
 public:
  LogLine(LogLevel level, std::string_view room, std::string_view line)
      : level_(level), room_(room), line_(line) {}
  void tell() override {
    constexpr int kLevels[] = {10, 20, 30, 40};  // logging.DEBUG .. ERROR
    try {
      py::module_::import("penstock._log")
          .attr("tell")(room_, kLevels[static_cast<int>(level_)], text(line_));
    } catch (py::error_already_set& raised) {
      raised.discard_as_unraisable("penstock log line");
    }
  }

 private:
  LogLevel level_;
  std::string room_, line_;
};

}  // namespace

Runtime& Runtime::instance() {
  if (Runtime* made = current.load()) return *made;
  std::lock_guard lock{making};
  if (!current.load()) current = new Runtime;  // leaked on purpose: threads may outlive statics
  return *current.load();
}

void Runtime::after_fork_in_child() {
  Gate::after_fork_in_child();
  new (&making) std::mutex;  // the parent's other threads are gone, perhaps while they held it
  current = nullptr;
}

Runtime::UnderWay::UnderWay(CallPointer state, Waiter waiter)
    : runtime_(instance()),
      calls_(waiter == Waiter::future ? runtime_.of_futures_ : runtime_.of_threads_),
      state_(std::move(state)) {
  std::lock_guard lock{runtime_.mutex_};
  runtime_.check_open();
  calls_.insert(state_);
}

Runtime::UnderWay::~UnderWay() {
  if (&runtime_ != current.load()) return;  // a callback forked: this is the child
  std::unique_lock lock{runtime_.mutex_};
  const auto ended = calls_.extract(calls_.find(state_));
  if (runtime_.closed_) runtime_.ended_.notify_all();
  lock.unlock();  // dropping the last state may take the GIL
}

void Runtime::check_open() const {
  if (closed_) throw std::runtime_error("penstock is shut down: the interpreter is exiting");
}

void Runtime::run(const CallPointer& state, std::function<void()> job) {
  auto under_way = std::make_shared<UnderWay>(state, Waiter::future);
  Workers* workers = nullptr;
  {
    std::lock_guard lock{mutex_};
    check_open();
    if (!workers_) workers_ = std::make_unique<Workers>();
    workers = workers_.get();
  }
  workers->run([under_way = std::move(under_way), job = std::move(job)]() mutable {
    job();
    under_way.reset();
  });
}

void Runtime::end_at_exit(std::weak_ptr<files::FetchMany> batch) {
  std::lock_guard lock{mutex_};
  std::erase_if(batches_, [](const auto& each) { return each.expired(); });
  batches_.push_back(std::move(batch));
}

void Runtime::tell(std::unique_ptr<Notice> notice) {
  std::lock_guard lock{mutex_};
  start_notifier();
  queue_.push_back(std::move(notice));
  changed_.notify_all();
}

void Runtime::log(LogLevel level, std::string_view room, std::string_view line) {
  auto notice = std::make_unique<LogLine>(level, room, line);
  std::lock_guard lock{mutex_};
  if (stopping_ || queue_.size() >= kMaxLines) return;
  start_notifier();
  queue_.push_back(std::move(notice));
  changed_.notify_all();
}

LogSink Runtime::log_sink() {
  return
      [](LogLevel level, std::string_view room, std::string_view line) { instance().log(level, room, line); };
}

void Runtime::start_notifier() {
  if (!notifier_.joinable() && !stopping_) notifier_ = std::thread{[this] { notify(); }};
}

void Runtime::notify() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto batch = std::exchange(queue_, {});
    lock.unlock();
    {
      GilHeld gil;
      for (auto& notice : batch) notice->tell();
      deliver_settled();
      batch.clear();
    }
    lock.lock();
  }
}

void Runtime::stop_jobs() {
  {
    std::lock_guard lock{mutex_};
    closed_ = true;
  }
  const bool ended = stop_calls(of_futures_, kExit);
  std::unique_lock lock{mutex_};
  auto workers = std::move(workers_);
  lock.unlock();
  if (!ended)
    workers.release();  // user code that does not return keeps its thread; joining it would hang the exit
}

// Whether all ended in time.
bool Runtime::stop_calls(const std::multiset<CallPointer>& calls, std::chrono::seconds patience) {
  std::unique_lock lock{mutex_};
  auto stopped = calls;
  lock.unlock();
  for (const CallPointer& state : stopped) state->stop();
  stopped.clear();
  lock.lock();
  return ended_.wait_for(lock, patience, [&] { return calls.empty(); });
}

void Runtime::end_batches() {
  std::vector<std::shared_ptr<files::FetchMany>> batches;
  {
    std::lock_guard lock{mutex_};
    for (const auto& each : batches_)
      if (auto batch = each.lock()) batches.push_back(std::move(batch));
  }
  for (const auto& batch : batches) batch->cancel();
  const auto end = std::chrono::steady_clock::now() + kLeave;
  for (const auto& batch : batches) batch->ended_within(end - std::chrono::steady_clock::now());
}

void Runtime::stop_notifier() {
  std::unique_lock lock{mutex_};
  stopping_ = true;
  changed_.notify_all();
  std::thread notifier = std::move(notifier_);
  lock.unlock();
  if (notifier.joinable()) notifier.join();
}

void Runtime::shutdown() {
  GilReleased release;
  if (Runtime* made = current.load()) {
    made->stop_jobs();
    made->stop_calls(made->of_threads_, kLeave);
    made->end_batches();
  }
  http::Client::close_all();  // their pending chores may still log
  if (Runtime* made = current.load()) made->stop_notifier();
  Gate::close(kLeave);
}

}  // namespace penstock::python
