// The states of one bundle, and who may do what in them.
//
// Threads:  shared freely. Nobody waits here but for adds that end, for another's finish(), and a second for
//           an abandoned bundle's last add.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/bundles/bundle.h"

namespace penstock::bundles {

class Lifecycle {
 public:
  // `discard` is called once, outside the lock, if the bundle is abandoned: by who abandons it, or by the
  // last add that ends after that.
  explicit Lifecycle(std::function<void(std::string_view why)> discard);

  // One add under way, until it dies.
  class Add {
   public:
    Add(Add&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Add& operator=(Add&&) = delete;
    ~Add() {
      if (of_) of_->end_add();
    }
    std::stop_token stop() const { return of_->stop_.get_token(); }

   private:
    friend class Lifecycle;
    explicit Add(Lifecycle& of) : of_(&of) {}
    Lifecycle* of_;
  };
  Add begin_add();  // Error(refused, bundle_not_found) unless open or adding

  // True: the caller completes, and says how that ended by completed() or failed(). False: it is completed.
  // While another does it, waits for that and throws what it threw. Error(refused, bundle_not_found) if
  // abandoned.
  bool begin_completing(const Call& call);
  void wait_for_adds(const Call& call);
  // Before the publishing request: from here abandon() has no effect. Throws Error(cancelled) if it was
  // called.
  void begin_commit();
  void not_committed();  // the publishing request failed for sure
  void completed();
  void failed(std::exception_ptr why);
  // The same in two steps, for who must not wait where he says so: discard() does nothing unless it is due.
  void fail(std::exception_ptr why);
  void discard() noexcept;
  // Stops who completes, before the commit.
  std::stop_token completing_stop() const;

  // False: it is committed, or about to be. Returns once all is discarded, or after a second in which adds
  // did not end; the last of them then does it.
  bool abandon(std::string_view why) noexcept;

  // The storage gives the BID to a new bundle: true once nothing of this one is left, which an idle one is
  // made to be. Waits as abandon() does.
  bool make_way() noexcept;

  State state() const;
  bool committed() const;

 private:
  void end_add() noexcept;
  void discard_if_due(std::unique_lock<std::mutex>& lock) noexcept;
  bool is_over() const { return state_ == State::abandoned; }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::function<void(std::string_view)> discard_;
  std::stop_source stop_;
  std::stop_source completing_;
  State state_ = State::open;
  int adds_ = 0;
  bool committing_ = false, abandon_wanted_ = false, discarded_ = false;
  std::string why_;
  std::exception_ptr failure_;
};

}  // namespace penstock::bundles
