#include "penstock/http/engine.h"

#include <algorithm>
#include <future>
#include <new>
#include <stdexcept>

#include <pthread.h>
#include <signal.h>

#include "penstock/base/wait.h"
#include "penstock/http/engines.h"
#include "penstock/http/exchange.h"
#include "penstock/http/try.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;

// Nothing to look at: only a wake-up or a socket ends the poll.
constexpr milliseconds kIdlePoll{60'000};

// Signals are for the program's own threads; and a peer that hangs up must not end the process by SIGPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

void Engine::initialise_libraries() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw std::bad_alloc{};
  Engines::close_all_at_exit();
}

std::shared_ptr<Engine> Engine::start(ClientOptions options, Environment environment) {
  initialise_libraries();
  std::shared_ptr<Engine> engine(new Engine(std::move(options), std::move(environment)));
  engine->thread_ = std::thread([raw = engine.get()] {
    raw->run();
    raw->ended_ = true;  // after this whoever joins may free it
  });
  Engines::add(engine);
  return engine;
}

Engine::Engine(ClientOptions options, Environment environment)
    : options_(std::move(options)),
      environment_(std::move(environment)),
      multi_(curl_multi_init()),
      shared_(curl_share_init()),
      slots_(options_.connections) {
  if (!multi_ || !shared_) throw std::bad_alloc{};
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.connections));
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  // Only the I/O thread uses the handles that share, so no lock functions.
  curl_share_setopt(shared_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  mailbox_->open(multi_);
}

void Engine::begin(const std::shared_ptr<Exchange>& exchange) {
  const bool posted = mailbox_->post([this, exchange] { admit(exchange); });
  if (!posted) exchange->refuse();
}

void Engine::admit(std::shared_ptr<Exchange> exchange) {
  Exchange& admitted = *exchange;
  live_.emplace(&admitted, std::move(exchange));
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    closing = closing_;
  }
  if (stopping_ || (closing && !admitted.chore())) return admitted.refuse();
  admitted.start();
}

void Engine::ended(Exchange& exchange) {
  if (!mailbox_->on_io_thread()) return;  // refused by a closed mailbox: it never was live
  const auto found = live_.find(&exchange);
  if (found == live_.end()) return;
  // Freed by a later job: its own functions are still on the stack.
  mailbox_->post([last = std::move(found->second)] {});
  live_.erase(found);
}

void Engine::post_after(milliseconds span, Mailbox::Job job) {
  post([this, span, job = std::move(job)]() mutable { at(now() + span, std::move(job)); });
}

Engine::TimerId Engine::at(SteadyTime when, Mailbox::Job job) {
  const TimerId id{when, timer_numbers_++};
  timers_.emplace(id, std::move(job));
  return id;
}

std::shared_ptr<void> Engine::hold_chore() {
  const std::lock_guard lock(mutex_);
  ++chores_;
  return {this, [self = shared_from_this()](Engine* engine) { engine->release_chore(); }};
}

void Engine::release_chore() {
  const std::lock_guard lock(mutex_);
  --chores_;
  chores_changed_.notify_all();
  mailbox_->post([] {});  // a closing engine looks again
}

void Engine::drain(const Call& call) {
  std::unique_lock lock(mutex_);
  base::wait(chores_changed_, lock, call, "waiting for pending chores", [&] { return chores_ == 0; });
}

void Engine::ask_to_close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  post([this] { begin_closing(); });
}

void Engine::close() {
  ask_to_close();
  if (mailbox_->on_io_thread()) return;  // joined when another engine starts, or at exit
  {
    const std::lock_guard lock(thread_mutex_);
    if (!thread_.joinable()) return;
    thread_.join();
  }
  Engines::remove(*this);
}

void Engine::count(const std::function<void(Statistics&)>& change) {
  const std::lock_guard lock(mutex_);
  change(statistics_);
}

void Engine::bytes_moved(std::uint64_t in, std::uint64_t out) {
  bytes_in_.fetch_add(in, std::memory_order_relaxed);
  bytes_out_.fetch_add(out, std::memory_order_relaxed);
}

void Engine::ring_bytes_changed(std::int64_t by) {
  ring_bytes_.fetch_add(static_cast<std::uint64_t>(by), std::memory_order_relaxed);
  buffers_changed(by);
}

void Engine::buffers_changed(std::int64_t by) {
  const auto change = static_cast<std::uint64_t>(by);
  const std::uint64_t used = buffers_used_.fetch_add(change, std::memory_order_relaxed) + change;
  std::uint64_t peak = buffers_peak_.load(std::memory_order_relaxed);
  while (by > 0 && used > peak && !buffers_peak_.compare_exchange_weak(peak, used)) {
  }
}

Statistics Engine::statistics() {
  if (mailbox_->on_io_thread()) {
    take_stock();
  } else {
    const auto taken = std::make_shared<std::promise<void>>();
    if (post([this, taken] { take_stock(), taken->set_value(); })) taken->get_future().wait();
  }
  const std::lock_guard lock(mutex_);
  Statistics copy = statistics_;
  const auto budget = options_.budget->statistics();
  copy.budget_used = budget.used;
  copy.budget_peak = budget.peak;
  copy.budget_overdraft = budget.overdraft;
  copy.bytes_in = bytes_in_.load(std::memory_order_relaxed);
  copy.bytes_out = bytes_out_.load(std::memory_order_relaxed);
  copy.ring_bytes = ring_bytes_.load(std::memory_order_relaxed);
  copy.buffers_used = buffers_used_.load(std::memory_order_relaxed);
  copy.buffers_peak = buffers_peak_.load(std::memory_order_relaxed);
  copy.chores = chores_;
  return copy;
}

void Engine::log(LogLevel level, std::string_view line) const {
  if (options_.log) options_.log(level, "http", line);
}

void Engine::run() {
  block_signals();
  next_tick_ = now();
  while (!may_stop()) {
    run_jobs();
    run_timers();
    perform();
    tick();
    wait();
  }
  tear_down();
}

void Engine::run_jobs() {
  for (auto& job : mailbox_->take()) job();
}

void Engine::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now()) {
    auto due = timers_.extract(timers_.begin());
    due.mapped()();
  }
}

void Engine::add(CURL* easy, Try& owner) {
  tries_[easy] = &owner;
  curl_multi_add_handle(multi_, easy);
}

void Engine::remove(CURL* easy) {
  tries_.erase(easy);
  curl_multi_remove_handle(multi_, easy);
}

void Engine::perform() {
  if (tries_.empty()) return;
  int running = 0;
  curl_multi_perform(multi_, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto owner = tries_.find(message->easy_handle);
    const CURLcode result = message->data.result;
    if (owner != tries_.end()) owner->second->transfer_done(result);
  }
}

void Engine::tick() {
  if (now() < next_tick_) return;
  next_tick_ = now() + options_.tick;
  for (const auto& exchange : living()) exchange->tick(now());
  connections_.shut_idle(now());
  options_.budget->trim();
}

// What only the I/O thread knows of the statistics.
void Engine::take_stock() {
  const std::lock_guard lock(mutex_);
  for (auto& [origin, host] : statistics_.hosts)
    host.open = host.idle = 0, host.waiting = slots_.waiting(origin);
  for (const auto& [origin, count] : connections_.counts()) {
    statistics_.hosts[origin].open = count.open;
    statistics_.hosts[origin].idle = count.idle;
  }
  for (const auto& [origin, quota] : quotas_) statistics_.quota_tokens[origin] = quota.tokens();
}

void Engine::wait() {
  if (!mailbox_->empty() || may_stop()) return;
  SteadyTime wake = now() + kIdlePoll;
  if (!live_.empty()) wake = std::min(wake, next_tick_);
  if (!timers_.empty()) wake = std::min(wake, timers_.begin()->first.first);
  if (const auto expiry = connections_.next_expiry()) wake = std::min(wake, std::max(*expiry, next_tick_));
  // A replaced clock may stand still: look again after a tick of real time.
  auto span = std::chrono::ceil<milliseconds>(wake - now());
  if (!live_.empty() || !timers_.empty()) span = std::min(span, options_.tick);
  if (stopping_ || last_chance_ != std::chrono::steady_clock::time_point{})
    span = std::min(span, options_.tick);
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(std::max(span, milliseconds{0}).count()), nullptr);
}

void Engine::begin_closing() {
  // Asked again, it has what was left: who closes many at once gives each the same grace.
  if (last_chance_ == std::chrono::steady_clock::time_point{})
    last_chance_ = std::chrono::steady_clock::now() + kChoreGrace;
  cancel_all(false);
}

bool Engine::may_stop() const {
  if (last_chance_ == std::chrono::steady_clock::time_point{}) return false;
  if (std::chrono::steady_clock::now() >= last_chance_) return true;
  auto& self = const_cast<Engine&>(*this);
  const std::lock_guard lock(self.mutex_);
  return chores_ == 0 && live_.empty();
}

std::vector<std::shared_ptr<Exchange>> Engine::living() const {
  std::vector<std::shared_ptr<Exchange>> all;
  all.reserve(live_.size());
  for (const auto& [raw, exchange] : live_) all.push_back(exchange);
  return all;
}

void Engine::cancel_all(bool chores_too) {
  for (const auto& exchange : living()) {
    if (chores_too || !exchange->chore()) exchange->refuse();
  }
}

void Engine::tear_down() {
  stopping_ = true;
  cancel_all(true);
  for (int round = 0; round < 100 && !mailbox_->empty(); ++round) run_jobs();  // what the endings posted
  // Whoever was told that a job is accepted may wait for it.
  for (auto& job : mailbox_->close()) job();
  timers_.clear();
  curl_multi_cleanup(multi_);
  curl_share_cleanup(shared_);
}

}  // namespace penstock::http
