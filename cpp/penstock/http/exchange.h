// One exchange: as many tries as its policy, attempts and quota allow, then one outcome.
//
//   preparing -> queued -> running -> (judged) -> waiting -> preparing ... -> ended
//
// Life:    start() on the I/O thread; then exactly one outcome: to `done`, or to the Delivery. The engine
//          keeps it until it has ended.
// Threads: the I/O thread, but cancel(), which posts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "penstock/http/attempts.h"
#include "penstock/http/delivery.h"
#include "penstock/http/engine.h"
#include "penstock/http/try.h"

namespace penstock::http {

class Lease;

class Exchange final : public std::enable_shared_from_this<Exchange>,
                       private Slots::Waiter,
                       private Try::Owner {
 public:
  using Done = std::function<void(Outcome)>;
  Exchange(Engine& engine, Request request, CallOptions options, Done done);
  Exchange(Engine& engine, Request request, CallOptions options, std::unique_ptr<Delivery> delivery);
  ~Exchange();

  bool chore() const { return options_.chore; }
  void cancel();  // any thread
  void start();
  void refuse();  // the client is closed
  void tick(SteadyTime now);

 private:
  enum class State { fresh, preparing, queued, running, waiting, ended };
  void check();
  void arm();
  void prepare();
  void prepare_by_policy(std::uint64_t generation);
  std::function<void()> go_on();
  void prepared(std::optional<Error> failure);
  void slot_granted() override;
  void about_to_send() override { policy_->about_to_send(); }
  void body_is_late() override;
  Try::Use use_of(const Head& head) override;
  Try::Use use_again(const Head& head);
  void ring_is_full() override;
  void try_ended() override;
  bool followed();
  void judge();
  void judge_body();
  void count_progress();
  void count_try();
  Attempt attempt(const Error* fault) const;
  void act(Verdict verdict);
  void wait(std::chrono::milliseconds span);
  void open_delivery(const Head& head);
  void succeed();
  void fail(Error error);
  void end(Outcome outcome);
  void release();
  void cancelled();
  void deadline_passed();
  Error decorated(Error error) const;
  std::vector<std::string> secrets() const;
  Try::Limits limits() const;
  void count_failure(const Error& error);

  Engine& engine_;
  std::shared_ptr<Mailbox> mailbox_;
  Request asked_, sent_;
  CallOptions options_;
  std::shared_ptr<AttemptPolicy> policy_;
  Done done_;
  std::unique_ptr<Delivery> delivery_;
  State state_ = State::fresh;
  Attempts attempts_;
  std::shared_ptr<void> chore_;   // held while it is one
  std::shared_ptr<Lease> lease_;  // on the caller's payload
  std::uint64_t generation_ = 0;  // of the preparation awaited
  Url url_;
  std::string origin_;
  std::unique_ptr<Try> try_;
  std::optional<Verdict> at_head_;  // what the policy said of a streamed answer's head
  int redirects_ = 0;
  std::uint64_t delivered_at_start_ = 0;  // of this try
  int per_host_ = 0;                      // the limit it takes its slot under
  bool holds_slot_ = false, at_end_ = false;
  SteadyTime queued_at_{};
  std::optional<Engine::TimerId> backoff_timer_, deadline_timer_;
  std::shared_ptr<const Error> first_failure_;
  std::vector<std::string> left_behind_;  // secrets of hops before this one
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace penstock::http
