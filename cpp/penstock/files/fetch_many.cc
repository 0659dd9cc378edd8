#include "penstock/files/fetch_many.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <utility>

#include "penstock/base/wait.h"
#include "penstock/files/admission.h"

namespace penstock::files {
namespace {

// One part of an upload: what a transfer is sure to hold.
constexpr std::uint64_t kHeldBytes = 8_MiB;

void check_options(const BatchOptions& options) {
  if (options.jobs >= 1 && options.jobs <= 256) return;
  throw Error{Kind::refused,
              "jobs is " + std::to_string(options.jobs) + ", it must be 1..256",
              {.doing = "fetch_many", .subject = "jobs"}};
}

}  // namespace

// Owned by the reader alone: jobs only borrow it, and the reader's destructor waits for them. Were a job its
// last owner, the client, the store and the callables in it would die on a thread of the client's own
// Workers.
struct FetchMany::State {
  State(std::shared_ptr<http::Client> client, TaskSource source, std::shared_ptr<store::ObjectStore> target,
        BatchOptions wanted)
      : web(std::move(client)),
        tasks(std::move(source)),
        to(std::move(target)),
        options(std::move(wanted)),
        admission(
            std::make_shared<Admission>(options.budget_bytes.value_or(web->budget()->statistics().limit))),
        stop_outside(options.fetch.call.stop, [this] { stop.request_stop(); }) {
    options.fetch.call.stop = stop.get_token();
    options.fetch.connections_per_origin = options.connections_per_origin;
    options.fetch.admit = [gate = admission](std::uint64_t bytes, const Call& call) {
      return gate->admit(std::min(bytes, kHeldBytes), call);
    };
  }

  struct Numbered {
    std::uint64_t number;
    FileTask task;
  };

  std::size_t ahead() const { return 2 * static_cast<std::size_t>(options.jobs); }
  std::size_t held() const { return waiting.size() + running + results.size(); }
  bool ready() const { return !results.empty() && (!options.ordered || results.begin()->first == given); }
  bool idle_job() const { return waiting.size() + running < static_cast<std::size_t>(options.jobs); }
  bool done() const { return exhausted && held() == 0; }
  std::optional<FileTask> next_task();

  void take_tasks();
  void accept(FileTask task);
  void work();
  void no_thread(const Error& error);
  FileResult run(const FileTask& task);
  FileResult give();

  const std::shared_ptr<http::Client> web;
  const TaskSource tasks;
  const std::shared_ptr<store::ObjectStore> to;
  BatchOptions options;
  const std::shared_ptr<Admission> admission;
  std::stop_source stop;
  std::stop_callback<std::function<void()>> stop_outside;

  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Numbered> waiting;
  std::map<std::uint64_t, FileResult> results;  // by number of the task, or of the completion
  std::size_t running = 0;                      // tasks at work
  std::size_t threads = 0;
  std::uint64_t taken = 0, completed = 0, given = 0;
  bool exhausted = false;
  std::exception_ptr broken;  // what the task source threw: for after the last result
};

// Foreign code, so not under the lock.
std::optional<FileTask> FetchMany::State::next_task() {
  if (stop.stop_requested()) return std::nullopt;
  try {
    return tasks();
  } catch (...) {
    broken = std::current_exception();
    return std::nullopt;
  }
}

// Takes tasks while one of the jobs would be idle, and up to the limit while there is nothing to hand out.
void FetchMany::State::take_tasks() {
  while (true) {
    {
      const std::lock_guard lock{mutex};
      if (exhausted || held() >= ahead() || (ready() && !idle_job())) return;
    }
    auto task = next_task();
    if (!task) {
      const std::lock_guard lock{mutex};
      exhausted = true;
      return;
    }
    accept(*std::move(task));
  }
}

void FetchMany::State::accept(FileTask task) {
  {
    const std::lock_guard lock{mutex};
    waiting.push_back({taken++, std::move(task)});
    if (threads >= static_cast<std::size_t>(options.jobs)) return;
    ++threads;
  }
  try {
    web->workers().run([this] { work(); });
  } catch (const Error& error) {
    no_thread(error);
  }
}

// The newest task was to have the thread that there is none for. If others are at work, they will come to it.
void FetchMany::State::no_thread(const Error& error) {
  const std::lock_guard lock{mutex};
  if (--threads > 0 || waiting.empty()) return;
  const Numbered unstarted = std::move(waiting.back());
  waiting.pop_back();
  results.emplace(options.ordered ? unstarted.number : completed++, failed(unstarted.task, error));
}

void FetchMany::State::work() {
  std::unique_lock lock{mutex};
  while (!waiting.empty()) {
    const Numbered next = std::move(waiting.front());
    waiting.pop_front();
    ++running;
    lock.unlock();
    FileResult result = run(next.task);
    lock.lock();
    --running;
    results.emplace(options.ordered ? next.number : completed++, std::move(result));
    changed.notify_all();
  }
  --threads;
  changed.notify_all();  // the last touch, and under the lock: the reader may destroy this right after
}

FileResult FetchMany::State::run(const FileTask& task) {
  std::shared_ptr<Progress> progress;
  try {
    if (options.progress_of) progress = options.progress_of(task);
  } catch (const std::exception& foreign) {
    return failed(task, Error{Kind::lost, foreign.what()});
  }
  FetchOptions fetch = options.fetch;
  fetch.call.progress = progress.get();
  return process(*web, task, *to, fetch);
}

FileResult FetchMany::State::give() {
  const auto first = results.begin();
  FileResult result = std::move(first->second);
  results.erase(first);
  ++given;
  return result;
}

FetchMany::FetchMany(std::shared_ptr<http::Client> web, TaskSource tasks,
                     std::shared_ptr<store::ObjectStore> to, BatchOptions options) {
  check_options(options);
  state_ = std::make_unique<State>(std::move(web), std::move(tasks), std::move(to), std::move(options));
}

FetchMany::~FetchMany() {
  cancel();
  while (!ended_within(std::chrono::seconds{1})) {
  }
}

std::optional<FileResult> FetchMany::next(const Call& call) {
  state_->take_tasks();
  std::unique_lock lock{state_->mutex};
  base::wait(state_->changed, lock, call, "wait for a result",
             [this] { return state_->ready() || state_->done(); });
  if (state_->ready()) return state_->give();
  if (state_->broken) std::rethrow_exception(std::exchange(state_->broken, nullptr));
  return std::nullopt;
}

void FetchMany::cancel() noexcept {
  state_->stop.request_stop();
}

bool FetchMany::ended_within(std::chrono::nanoseconds span) noexcept {
  std::unique_lock lock{state_->mutex};
  // Not base::wait: a destructor may not throw, and cancelled transfers end within 200 ms.
  return base::wait_for(state_->changed, lock, span, [this] { return state_->threads == 0; });
}

void fetch_many(std::shared_ptr<http::Client> web, TaskSource tasks, std::shared_ptr<store::ObjectStore> to,
                const BatchOptions& options, const std::function<void(FileResult)>& take) {
  FetchMany batch{std::move(web), std::move(tasks), std::move(to), options};
  while (auto result = batch.next(options.fetch.call)) take(*std::move(result));
}

}  // namespace penstock::files
