// What a retry costs, whether it may be made, and how long it waits first.
//
// Numbers: AWS's standard retry mode as of November 2026; `legacy` is the mode before it, for comparison.
// Threads: values and pure functions; a RetryQuota belongs to the I/O thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/http/headers.h"
#include "penstock/http/request.h"

namespace penstock::http {

enum class RetryMode { standard, legacy };

struct RetryPrice {
  std::chrono::milliseconds base{0};  // of the backoff: Backoff::before_retry(n, base)
  int cost = 0;                       // tokens
};

// standard: transient 50 ms and 14, throttle 1 s and 5; legacy: 1 s and 5, a time-out 10. mend is free and at
// once.
RetryPrice retry_price(RetryMode mode, RetryClass retry_class, bool timed_out);

// The retry tokens of one host. When everything fails, retries run dry and traffic stays under twice the
// normal; first attempts are never held back.
class RetryQuota {
 public:
  static constexpr int kTokens = 500;

  // Takes the cost, or takes nothing and says false: the retry is not made.
  bool pay(int cost);

  // After a success: gives back what its last retry paid; 1 if it needed none. Never above kTokens.
  void succeeded(int last_paid);

  int tokens() const { return tokens_; }

 private:
  int tokens_ = kTokens;
};

// How long before the next try, `jittered` being what Backoff drew. x-amz-retry-after, clamped to
// [jittered, jittered + 5 s], decides where both hints came; Retry-After waits max(jittered, hint).
// nullopt: Retry-After asks for more than `max_retry_after`, so the caller is told `busy` instead.
std::optional<std::chrono::milliseconds> retry_wait(std::chrono::milliseconds jittered,
                                                    const Verdict& verdict,
                                                    std::chrono::milliseconds max_retry_after);

// Retry-After in seconds, or as a date against the answer's own Date (against `now` if it sent none). A date
// in the past is 0; numbers too large saturate at a year. nullopt if absent or malformed.
std::optional<std::chrono::milliseconds> retry_after(const Headers& headers, WallTime now);

// x-amz-retry-after, in milliseconds. nullopt if absent or malformed.
std::optional<std::chrono::milliseconds> amz_retry_after(const Headers& headers);

}  // namespace penstock::http
