#include "penstock/http/client_options.h"

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "penstock/base/clock.h"
#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::http {
namespace {

constexpr int kMostAttempts = 1000;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): as everybody reads it
  return value ? std::string_view{value} : std::string_view{};
}

Error senseless(const char* name, std::string_view value, const char* wanted) {
  return {Kind::refused,
          std::string{name} + " is \"" + redact_text(value, 64) + "\"; it is " + wanted,
          {.doing = "read the environment"}};
}

int attempts_of_the_environment() {
  const std::string_view value = variable("AWS_MAX_ATTEMPTS");
  if (value.empty()) return 0;
  int attempts = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), attempts);
  const bool is_number = failed == std::errc{} && end == value.data() + value.size();
  if (!is_number || attempts < 1 || attempts > kMostAttempts)
    throw senseless("AWS_MAX_ATTEMPTS", value, "a number from 1 to 1000");
  return attempts;
}

RetryMode mode_of_the_environment() {
  const std::string_view value = variable("AWS_RETRY_MODE");
  if (value == "legacy") return RetryMode::legacy;
  if (value.empty() || value == "standard" || value == "adaptive") return RetryMode::standard;
  throw senseless("AWS_RETRY_MODE", value, "standard, adaptive or legacy");
}

void check_limits(const ClientOptions& options) {
  const auto require = [](bool fits, const char* said) {
    if (!fits) throw Error{Kind::refused, said};
  };
  require(options.connections >= 1, "connections must be at least 1");
  require(options.connections_per_host.value_or(1) >= 1, "connections_per_host must be at least 1");
  require(options.max_attempts >= 0 && options.max_attempts <= kMostAttempts,
          "max_attempts must be 0 to 1000");
  require(options.ring_bytes >= 1 && options.ring_bytes <= 8_MiB, "ring_bytes must be at most 8 MiB");
}

}  // namespace

ClientOptions completed(ClientOptions options) {
  check_limits(options);
  if (!options.budget) options.budget = Budget::process_default();
  if (!options.clock) options.clock = Clock::system();
  if (options.user_agent.empty()) options.user_agent = "penstock/" PENSTOCK_VERSION;
  if (options.max_attempts == 0) options.max_attempts = attempts_of_the_environment();
  if (!options.retry_mode) options.retry_mode = mode_of_the_environment();
  return options;
}

}  // namespace penstock::http
