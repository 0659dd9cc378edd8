#include "penstock/http/client_options.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_of;

// The environment has the variable while this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    ::setenv(name, value, 1);  // NOLINT(concurrency-mt-unsafe): before any thread
  }
  ~Variable() { ::unsetenv(name_); }  // NOLINT(concurrency-mt-unsafe)
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(ClientOptions, the_environment_says_what_the_caller_does_not) {
  const Variable attempts{"AWS_MAX_ATTEMPTS", "9"};
  const Variable mode{"AWS_RETRY_MODE", "legacy"};
  EXPECT_EQ(completed({}).max_attempts, 9);
  EXPECT_EQ(completed({}).retry_mode, RetryMode::legacy);
  EXPECT_EQ(completed({.max_attempts = 2}).max_attempts, 2);
  EXPECT_EQ(completed({.retry_mode = RetryMode::standard}).retry_mode, RetryMode::standard);
}

TEST(ClientOptions, adaptive_is_standard) {
  const Variable mode{"AWS_RETRY_MODE", "adaptive"};
  EXPECT_EQ(completed({}).retry_mode, RetryMode::standard);
}

TEST(ClientOptions, a_variable_that_says_nothing_sensible_is_refused_by_its_name) {
  for (const char* value : {"0", "-1", "many", "3x", "1001", "99999999999"}) {
    const Variable attempts{"AWS_MAX_ATTEMPTS", value};
    const Error error = error_of([] { completed({}); });
    EXPECT_EQ(error.kind(), Kind::refused) << value;
    EXPECT_NE(error.message().find("AWS_MAX_ATTEMPTS"), error.message().npos) << error.message();
  }
  const Variable mode{"AWS_RETRY_MODE", "bold"};
  EXPECT_EQ(error_of([] { completed({}); }).kind(), Kind::refused);
}

TEST(ClientOptions, limits_that_let_nothing_through_are_refused) {
  for (const ClientOptions& options :
       {ClientOptions{.connections_per_host = 0}, ClientOptions{.connections = 0},
        ClientOptions{.ring_bytes = 8_MiB + 1}, ClientOptions{.max_attempts = -1}})
    EXPECT_EQ(error_of([&] { completed(options); }).kind(), Kind::refused);
}

}  // namespace
}  // namespace penstock::http
