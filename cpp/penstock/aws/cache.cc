#include "penstock/aws/cache.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "penstock/aws/dates.h"
#include "penstock/base/redact.h"
#include "penstock/base/wait.h"

namespace penstock::aws {
namespace {

constexpr const char* kDoing = "load credentials";

// A snapshot by its secret parts: two loads may return the same keys.
bool same_keys(const Credentials& a, const Credentials& b) {
  return a.access_key_id == b.access_key_id && a.secret_access_key == b.secret_access_key &&
         a.session_token == b.session_token;
}

Credentials wait_for(CredentialCache& cache, const Call& call) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Loaded> loaded;
  };
  const auto answer = std::make_shared<Answer>();
  cache.get([answer](Loaded loaded) {
    const std::lock_guard lock{answer->mutex};
    answer->loaded = std::move(loaded);
    answer->changed.notify_all();
  });
  std::unique_lock lock{answer->mutex};
  base::wait(answer->changed, lock, call, kDoing, [&] { return answer->loaded.has_value(); });
  if (auto* error = std::get_if<Error>(&*answer->loaded)) throw *error;
  return std::get<Credentials>(*std::move(answer->loaded));
}

class FixedCache : public CredentialCache {
 public:
  explicit FixedCache(Credentials credentials) : credentials_(std::move(credentials)) {}
  void get(Ready ready) override { ready(credentials_); }
  Credentials wait(const Call&) override { return credentials_; }
  void force_refresh(const Credentials&) override {}

 private:
  const Credentials credentials_;
};

// What get() finds the keys to be, by the clock.
enum class State { fresh, aging, urgent, none };

class RefreshingCache : public CredentialCache, public std::enable_shared_from_this<RefreshingCache> {
 public:
  explicit RefreshingCache(CacheParts parts) : parts_(std::move(parts)) {}
  ~RefreshingCache() override { stop_.request_stop(); }

  void get(Ready ready) override;
  Credentials wait(const Call& call) override { return wait_for(*this, call); }
  void force_refresh(const Credentials& rejected) override;

 private:
  State state() const;
  bool may_try() const { return parts_.clock->now() >= next_try_; }
  bool ended() const { return keys_ && keys_->expires && *keys_->expires <= parts_.clock->wall(); }
  bool valid() const { return keys_ && (!ended() || keys_->outlive_expiry); }
  Loaded best() const;
  void forget_parents_load();
  void start_load();
  static Loaded run_load(const CacheParts& parts, const Call& call);
  void finish_load(Loaded loaded);
  void keep(Credentials keys);
  void keep_failure(Error error);
  void back_off();

  const CacheParts parts_;
  std::stop_source stop_;
  std::mutex mutex_;
  // Under mutex_:
  std::optional<Credentials> keys_;
  WallTime loaded_at_;
  bool rejected_ = false;              // the far end refused keys_: wait for others
  std::optional<Credentials> forced_;  // the last snapshot a refresh was forced for
  bool loading_ = false;
  pid_t loading_in_ = 0;
  std::vector<Ready> waiting_;
  std::optional<Error> last_failure_;
  int failures_ = 0;
  SteadyTime next_try_ = SteadyTime::min();
  std::minstd_rand random_{std::random_device{}()};
};

State RefreshingCache::state() const {
  if (!keys_ || rejected_) return State::none;
  if (!keys_->expires) return State::fresh;
  const auto left = *keys_->expires - parts_.clock->wall();
  const auto ahead = std::min<std::chrono::nanoseconds>(kRefreshAhead, (*keys_->expires - loaded_at_) / 4);
  if (left > ahead) return State::fresh;
  return left > std::min<std::chrono::nanoseconds>(kMustWait, ahead) ? State::aging : State::urgent;
}

// What a caller gets when there is nothing to wait for.
Loaded RefreshingCache::best() const {
  if (valid()) return *keys_;
  if (!keys_) return *last_failure_;
  auto message = fmt::format("credentials from {} expired at {}", keys_->source, amz_date(*keys_->expires));
  Facts facts{.doing = kDoing};
  if (last_failure_) {
    message += "; refreshing them failed: " + last_failure_->message();
    facts.cause = std::make_shared<Error>(*last_failure_);
  }
  return Error{Kind::denied, std::move(message), std::move(facts)};
}

void RefreshingCache::get(Ready ready) {
  std::unique_lock lock{mutex_};
  forget_parents_load();
  const auto now = state();
  const bool can_serve = now == State::fresh || now == State::aging;
  const bool wants_load = now != State::fresh && !loading_ && (!keys_ || may_try());
  const bool waits = !can_serve && (loading_ || wants_load);
  if (wants_load) loading_ = true, loading_in_ = getpid();
  if (waits) {
    waiting_.push_back(std::move(ready));
    lock.unlock();
  } else {
    Loaded answer = can_serve ? Loaded{*keys_} : best();
    lock.unlock();
    ready(std::move(answer));
  }
  if (wants_load) start_load();
}

void RefreshingCache::force_refresh(const Credentials& rejected) {
  std::unique_lock lock{mutex_};
  forget_parents_load();
  if (!keys_ || !same_keys(*keys_, rejected)) return;  // others are here already
  if (forced_ && same_keys(*forced_, rejected)) return;
  forced_ = rejected;
  rejected_ = true;
  if (std::exchange(loading_, true)) return;
  loading_in_ = getpid();
  lock.unlock();
  start_load();
}

void RefreshingCache::forget_parents_load() {
  if (!loading_ || loading_in_ == getpid()) return;
  loading_ = false;
  waiting_.clear();
}

// The job holds the parts and the stop, not the cache: one that nobody uses any more dies and stops it.
void RefreshingCache::start_load() {
  try {
    parts_.run([weak = weak_from_this(), parts = parts_, stop = stop_.get_token()] {
      parts.fetched();
      auto loaded = run_load(parts, Call{.stop = stop});
      if (const auto self = weak.lock()) self->finish_load(std::move(loaded));
    });
  } catch (const Error& error) {
    finish_load(error);
  }
}

Loaded RefreshingCache::run_load(const CacheParts& parts, const Call& call) {
  try {
    auto keys = parts.load(call);
    if (!keys.expires || *keys.expires > parts.clock->wall() || keys.outlive_expiry) return keys;
    return Error{Kind::denied,
                 fmt::format("credentials from {} expired at {}", keys.source, amz_date(*keys.expires)),
                 {.doing = kDoing}};
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error{Kind::denied,
                 "credentials could not be loaded: " + redact_text(error.what(), 256),
                 {.doing = kDoing}};
  }
}

void RefreshingCache::finish_load(Loaded loaded) {
  std::unique_lock lock{mutex_};
  loading_ = false;
  rejected_ = false;
  if (auto* keys = std::get_if<Credentials>(&loaded))
    keep(std::move(*keys));
  else
    keep_failure(std::get<Error>(std::move(loaded)));
  const auto answer = best();
  const auto waiting = std::exchange(waiting_, {});
  lock.unlock();
  for (const auto& ready : waiting) ready(answer);
}

void RefreshingCache::keep(Credentials keys) {
  const bool nothing_new = keys_ && same_keys(*keys_, keys) && keys_->expires == keys.expires;
  // A process that keeps its own cache hands the same keys out until they end: its age counts from the first.
  if (!nothing_new) loaded_at_ = parts_.clock->wall();
  keys_ = std::move(keys);
  last_failure_.reset();
  if (nothing_new || ended()) return back_off();
  failures_ = 0;
  next_try_ = SteadyTime::min();
}

void RefreshingCache::keep_failure(Error error) {
  last_failure_ = std::move(error);
  back_off();
}

void RefreshingCache::back_off() {
  if (ended() && keys_->outlive_expiry) {
    const std::chrono::milliseconds wait{kEndedRetryWait};
    next_try_ = parts_.clock->now() + wait +
                std::chrono::milliseconds{random_() % static_cast<std::uint64_t>(wait.count())};
    return;
  }
  const std::chrono::seconds doubled{1LL << std::min(failures_++, 6)};
  next_try_ = parts_.clock->now() + std::min(doubled, kMaxRetryWait);
}

}  // namespace

std::shared_ptr<CredentialCache> make_cache(CacheParts parts) {
  return std::make_shared<RefreshingCache>(std::move(parts));
}

std::shared_ptr<CredentialCache> fixed_cache(Credentials credentials) {
  return std::make_shared<FixedCache>(std::move(credentials));
}

}  // namespace penstock::aws
