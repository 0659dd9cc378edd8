// How an exchange ends: what it tells, to whom, and what it lets go of.
#include <algorithm>
#include <utility>

#include "penstock/base/hide.h"
#include "penstock/base/redact.h"
#include "penstock/http/exchange.h"
#include "penstock/http/fault.h"
#include "penstock/http/lease.h"

namespace penstock::http {

void Exchange::succeed() {
  attempts_.succeeded(origin_);
  if (delivery_) return end(Response{});
  const Head& head = try_->head();
  end(Response{.status = head.status(),
               .headers = head.headers(),
               .body = try_->take_kept(),
               .url = sent_.url,
               .attempts = attempts_.made()});
}

void Exchange::fail(Error error) {
  error = hide(decorated(std::move(error)), secrets());
  count_failure(error);
  end(std::move(error));
}

Error Exchange::decorated(Error error) const {
  Facts& facts = error.facts();
  if (facts.doing.empty()) facts.doing = asked_.method;
  if (facts.subject.empty()) facts.subject = redact_url(asked_.url);
  facts.attempts = attempts_.made();
  if (delivery_) facts.side = Side::source;
  if (delivery_) facts.bytes_done = delivery_->delivered();
  if (!facts.cause && attempts_.made() > 1) facts.cause = first_failure_;
  return error;
}

std::vector<std::string> Exchange::secrets() const {
  if (state_ == State::preparing) return {};  // the policy may write to them, and nobody has heard them yet
  std::vector<std::string> all = policy_->secrets();
  for (const auto& more : {secret_values(asked_), secret_values(sent_), left_behind_})
    all.insert(all.end(), more.begin(), more.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void Exchange::end(Outcome outcome) {
  if (state_ == State::ended) return;
  const auto self = shared_from_this();
  release();
  if (lease_) lease_->end();
  state_ = State::ended;
  on_stop_.reset();
  if (deadline_timer_) engine_.forget(*std::exchange(deadline_timer_, std::nullopt));
  if (delivery_) {
    const Error* error = std::get_if<Error>(&outcome);
    error ? delivery_->fail(*error) : delivery_->finish();
    delivery_.reset();
  }
  if (done_) std::exchange(done_, {})(std::move(outcome));
  chore_.reset();
  engine_.ended(*this);
}

// Whatever the state holds: a place in the queue, a slot, a transfer, a timer.
void Exchange::release() {
  if (state_ == State::queued && !holds_slot_) engine_.slots().leave(origin_, *this);
  if (try_) try_->cut();
  if (backoff_timer_) engine_.forget(*std::exchange(backoff_timer_, std::nullopt));
  if (std::exchange(holds_slot_, false)) engine_.slots().release(origin_, per_host_);
}

void Exchange::refuse() {
  end(hide(decorated(our_error(Kind::cancelled, "closed", "the client is closed")), secrets()));
}

void Exchange::cancelled() {
  if (state_ != State::ended) fail(our_error(Kind::cancelled, "", "the exchange was stopped by its caller"));
}

void Exchange::deadline_passed() {
  deadline_timer_.reset();
  if (state_ == State::ended) return;
  fail(our_error(Kind::lost, code::kDeadline, "the deadline passed before the exchange was over"));
}

void Exchange::count_failure(const Error& error) {
  engine_.count([&](Statistics& statistics) {
    ++statistics.hosts[origin_].failed_by_kind[std::string(to_string(error.kind()))];
    if (error.facts().code == code::kAddressGuard) ++statistics.guard_blocks;
  });
}

}  // namespace penstock::http
