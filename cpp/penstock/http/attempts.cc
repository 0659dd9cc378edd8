#include "penstock/http/attempts.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "penstock/http/engine.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;

constexpr int kMends = 4;  // a policy mends each thing once; this stops one that does not

// The far end named a time that is too far away: the caller may come back then.
Error busy_until(const Error& error, milliseconds hint) {
  Facts facts = error.facts();
  facts.retry_after = hint;
  return Error(Kind::busy, error.message(), std::move(facts));
}

std::string_view name_of(RetryClass retry_class) {
  switch (retry_class) {
    case RetryClass::transient:
      return "transient";
    case RetryClass::throttle:
      return "throttle";
    case RetryClass::mend:
      return "mend";
    case RetryClass::never:
      break;
  }
  return "never";
}

}  // namespace

void Attempts::allow(int most) {
  for (const int asked :
       {options_.max_attempts, engine_.options().max_attempts, options_.usual_attempts, most}) {
    most_ = asked;
    if (asked > 0) return;
  }
}

void Attempts::succeeded(const std::string& origin) {
  engine_.quota(origin).succeeded(last_paid_);
}

void Attempts::progressed(const std::string& origin) {
  succeeded(origin);
  last_paid_ = 0;
  spent_ = 0;
}

milliseconds Attempts::before_next(Verdict verdict, const Ended& last) {
  Error error = std::move(*verdict.error);
  if (!may_go_on(verdict.retry_class, last)) throw error;
  if (verdict.retry_class == RetryClass::mend) {
    ++mended_;
    --spent_;
    count(verdict.retry_class);
    return milliseconds{0};
  }
  const ClientOptions& client = engine_.options();
  const RetryPrice price =
      retry_price(client.retry_mode.value_or(RetryMode::standard), verdict.retry_class, last.timed_out);
  const auto jittered = engine_.backoff().before_retry(std::max(spent_, 1), price.base);
  const auto span = retry_wait(jittered, verdict, client.max_retry_after);
  if (!span) throw busy_until(error, *verdict.retry_after);
  if (verdict.retry_after && too_late_after(*span)) throw busy_until(error, *span);
  if (!engine_.quota(last.origin).pay(price.cost)) {
    error.facts().quota_exhausted = true;
    throw error;
  }
  last_paid_ = price.cost;
  count(verdict.retry_class);
  return *span;
}

void Attempts::count(RetryClass retry_class) {
  engine_.count([name = name_of(retry_class)](Statistics& statistics) {
    ++statistics.retries_by_class[std::string(name)];
  });
}

bool Attempts::may_go_on(RetryClass retry_class, const Ended& last) const {
  if (retry_class == RetryClass::never) return false;
  if (retry_class == RetryClass::mend) return mended_ < kMends;
  return spent_ < most_ && last.may_be_sent_again;
}

bool Attempts::too_late_after(milliseconds span) const {
  const auto deadline = options_.call.deadline.at();
  return deadline && std::chrono::steady_clock::now() + span >= *deadline;
}

}  // namespace penstock::http
