#include "penstock/http/retry.h"

#include <charconv>
#include <cstdint>

#include "penstock/http/http_date.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kYearSeconds = 365 * 86400;
constexpr milliseconds kAmzSlack{5'000};

// Digits only; more than `most` is `most`.
std::optional<std::uint64_t> saturated(std::string_view text, std::uint64_t most) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} ? std::min(value, most) : most;
}

// In whole seconds, because the span between two far dates does not fit in nanoseconds.
milliseconds span_between(WallTime from, WallTime to) {
  const seconds span = std::chrono::floor<seconds>(to).time_since_epoch() -
                       std::chrono::floor<seconds>(from).time_since_epoch();
  return std::clamp(span, seconds{0}, seconds{kYearSeconds});
}

}  // namespace

RetryPrice retry_price(RetryMode mode, RetryClass retry_class, bool timed_out) {
  if (retry_class == RetryClass::mend || retry_class == RetryClass::never) return {};
  if (mode == RetryMode::legacy) return {milliseconds{1'000}, timed_out ? 10 : 5};
  if (retry_class == RetryClass::throttle) return {milliseconds{1'000}, 5};
  return {milliseconds{50}, 14};
}

bool RetryQuota::pay(int cost) {
  if (cost > tokens_) return false;
  tokens_ -= cost;
  return true;
}

void RetryQuota::succeeded(int last_paid) {
  tokens_ = std::min(kTokens, tokens_ + std::max(1, last_paid));
}

std::optional<milliseconds> retry_wait(milliseconds jittered, const Verdict& verdict,
                                       milliseconds max_retry_after) {
  if (verdict.amz_retry_after) return std::clamp(*verdict.amz_retry_after, jittered, jittered + kAmzSlack);
  if (!verdict.retry_after) return jittered;
  if (*verdict.retry_after > max_retry_after) return std::nullopt;
  return std::max(jittered, *verdict.retry_after);
}

std::optional<milliseconds> retry_after(const Headers& headers, WallTime now) {
  const std::string_view text = headers.get("Retry-After");
  if (const auto count = saturated(text, kYearSeconds)) return seconds{*count};
  const auto until = parse_http_date(text);
  if (!until) return std::nullopt;
  return span_between(parse_http_date(headers.get("Date")).value_or(now), *until);
}

std::optional<milliseconds> amz_retry_after(const Headers& headers) {
  const auto count = saturated(headers.get("x-amz-retry-after"), kYearSeconds * 1000);
  if (!count) return std::nullopt;
  return milliseconds{*count};
}

}  // namespace penstock::http
