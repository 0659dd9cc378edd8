#include "penstock/bundles/telling.h"

#include <chrono>

#include <fmt/format.h>

#include "penstock/base/backoff.h"
#include "penstock/base/wait.h"

namespace penstock::bundles {
namespace {

constexpr int kPublishAttempts = 4;
constexpr std::chrono::milliseconds kPublishBase{500};
constexpr std::chrono::seconds kPublishWithin{30};

bool may_pass(const Error& error) {
  return error.kind() == Kind::busy || error.kind() == Kind::lost || error.kind() == Kind::in_doubt;
}

Call within(Call call, std::chrono::nanoseconds span) {
  const Deadline own = Deadline::after(span);
  if (!call.deadline.set() || *own.at() < *call.deadline.at()) call.deadline = own;
  return call;
}

std::string words_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an unknown exception";
  }
}

}  // namespace

void say(const Services& services, LogLevel level, const std::string& line) {
  if (services.log) services.log(level, "bundles", line);
}

void tell_abandoned(const Services& services, const std::string& bid, std::string_view why) {
  if (services.on_abandoned) return services.on_abandoned(bid, why);
  say(services, LogLevel::warning, fmt::format("bundle {} is abandoned: {}", bid, why));
}

void publish_with_retries(const Services& services, const Sealed& sealed, const std::string& recipe_id,
                          const Call& call) {
  if (!services.notifier) return;
  const Call bounded = within(call, kPublishWithin);
  Backoff backoff;
  for (int attempt = 1;; ++attempt) {
    try {
      return services.notifier->publish(sealed, recipe_id, bounded);
    } catch (const Error& error) {
      if (attempt == kPublishAttempts || !may_pass(error) || bounded.deadline.passed()) throw;
      say(services, LogLevel::warning,
          fmt::format("bundle {} could not be announced, trying again: {}", sealed.ref.bid, error.message()));
    }
    base::sleep(backoff.before_retry(attempt, kPublishBase), bounded, "announce a bundle");
  }
}

std::exception_ptr call_back(const Services& services, const Recipe& recipe, const BundleRef& ref) {
  std::exception_ptr first;
  for (const OnComplete& callback : recipe.on_complete) {
    try {
      callback(ref);
    } catch (...) {
      if (!first) first = std::current_exception();
      say(services, LogLevel::error,
          fmt::format("a completion callback of bundle {} failed: {}", ref.bid,
                      words_of(std::current_exception())));
    }
  }
  return first;
}

}  // namespace penstock::bundles
