// The I/O thread: one libcurl multi handle, a job queue, timers, connection slots, and the exchanges under
// way.
//
// Life:    start() makes the thread; close() refuses new work, gives chores up to 10 s, cancels the rest and
//          joins. Called on the I/O thread itself it cannot join: Engines keeps the engine until somebody
//          does.
// Threads: functions under "any thread" are; all others are the I/O thread's own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include <curl/curl.h>

#include "penstock/base/backoff.h"
#include "penstock/http/client.h"
#include "penstock/http/connections.h"
#include "penstock/http/mailbox.h"
#include "penstock/http/proxy.h"
#include "penstock/http/retry.h"
#include "penstock/http/slots.h"

namespace penstock::http {

class Exchange;
class Try;

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  static constexpr std::chrono::seconds kChoreGrace{10};
  using TimerId = std::pair<SteadyTime, std::uint64_t>;

  // libcurl's and OpenSSL's set-up, which registers their clean-up at the process's exit; every engine is
  // closed before that. Whatever static holds a client calls this before it is made, and so dies before
  // either.
  static void initialise_libraries();

  // Any thread. `options` are completed().
  static std::shared_ptr<Engine> start(ClientOptions options, Environment environment);
  void begin(const std::shared_ptr<Exchange>& exchange);
  bool post(Mailbox::Job job) { return mailbox_->post(std::move(job)); }
  void post_after(std::chrono::milliseconds span, Mailbox::Job job);
  // Counted until it dies: drain() and close() wait for it. Any thread.
  std::shared_ptr<void> hold_chore();
  void drain(const Call& call);
  void ask_to_close();
  void close();
  bool ended() const { return ended_; }
  void abandon() noexcept { connections_.abandon(); }  // in a forked child
  Statistics statistics();
  void count(const std::function<void(Statistics&)>& change);
  const ClientOptions& options() const { return options_; }
  const Environment& environment() const { return environment_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  Clock& clock() const { return *options_.clock; }
  Budget& budget() const { return *options_.budget; }
  void log(LogLevel level, std::string_view line) const;
  void bytes_moved(std::uint64_t in, std::uint64_t out);
  void ring_bytes_changed(std::int64_t by);
  void buffers_changed(std::int64_t by);  // rings and libcurl's

  // The I/O thread.
  CURLM* multi() const { return multi_; }
  CURLSH* shared() const { return shared_; }
  Slots& slots() { return slots_; }
  Connections& connections() { return connections_; }
  RetryQuota& quota(const std::string& origin) { return quotas_[origin]; }
  Backoff& backoff() { return backoff_; }
  TimerId at(SteadyTime when, Mailbox::Job job);
  void forget(const TimerId& timer) { timers_.erase(timer); }
  void add(CURL* easy, Try& owner);
  void remove(CURL* easy);
  void ended(Exchange& exchange);
  SteadyTime now() const { return options_.clock->now(); }

 private:
  Engine(ClientOptions options, Environment environment);
  void run();
  void admit(std::shared_ptr<Exchange> exchange);
  void run_jobs();
  void run_timers();
  void perform();
  void tick();
  void take_stock();
  void wait();
  void release_chore();
  void begin_closing();
  bool may_stop() const;
  std::vector<std::shared_ptr<Exchange>> living() const;  // which may end while they are walked
  void cancel_all(bool chores_too);
  void tear_down();

  ClientOptions options_;
  Environment environment_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  CURLM* multi_ = nullptr;
  CURLSH* shared_ = nullptr;
  Slots slots_;
  Connections connections_;
  Backoff backoff_;
  std::map<std::string, RetryQuota> quotas_;
  std::map<TimerId, Mailbox::Job> timers_;
  std::uint64_t timer_numbers_ = 0;
  std::unordered_map<Exchange*, std::shared_ptr<Exchange>> live_;
  std::unordered_map<CURL*, Try*> tries_;
  SteadyTime next_tick_{};
  std::chrono::steady_clock::time_point last_chance_{};  // for chores, once closing
  bool stopping_ = false;                                // the I/O thread's own

  std::mutex mutex_;  // what follows
  std::condition_variable_any chores_changed_;
  int chores_ = 0;
  bool closing_ = false;
  Statistics statistics_;
  std::atomic<std::uint64_t> bytes_in_{0}, bytes_out_{0}, ring_bytes_{0}, buffers_used_{0}, buffers_peak_{0};

  std::mutex thread_mutex_;  // one close() joins
  std::thread thread_;
  std::atomic<bool> ended_{false};
};

}  // namespace penstock::http
