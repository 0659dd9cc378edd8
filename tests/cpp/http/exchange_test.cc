#include "penstock/http/exchange.h"

#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;
using std::chrono::milliseconds;

class ExchangeTest : public ::testing::Test {
 protected:
  ScriptedServer server_;
  Client client_{quick()};

  int requests() const { return static_cast<int>(server_.requests().size()); }
};

TEST_F(ExchangeTest, a_transient_status_is_tried_again_until_it_is_well) {
  server_.on("/a", {respond(503), respond(500), respond(200, {}, "well")});
  const Response answer = client_.send(get(server_.url("/a")));
  EXPECT_EQ(answer.body, "well");
  EXPECT_EQ(answer.attempts, 3);
  EXPECT_EQ(client_.statistics().retries_by_class.at("transient"), 2u);
}

TEST_F(ExchangeTest, three_tries_and_no_more) {
  server_.on("/a", respond(503));
  const Error error = error_of([&] { client_.send(get(server_.url("/a"))); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().attempts, 3);
  EXPECT_EQ(error.facts().status, 503);
  EXPECT_EQ(requests(), 3);
}

TEST_F(ExchangeTest, a_body_may_be_asked_for_five_times) {
  server_.on("/a", respond(503));
  EXPECT_EQ(error_of([&] { client_.open(get(server_.url("/a"))); }).facts().attempts, 5);
}

TEST_F(ExchangeTest, what_the_caller_got_wrong_is_not_tried_again) {
  server_.on("/a", respond(400));
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a"))); }).kind(), Kind::refused);
  EXPECT_EQ(requests(), 1);
}

TEST_F(ExchangeTest, a_reset_is_tried_again_with_the_same_body) {
  const std::string sent = pattern(0, 300'000);
  server_.on("/a", {script().read_body(1000).reset(), respond(200)});
  EXPECT_EQ(client_.send(put(server_.url("/a"), sent)).attempts, 2);
  ASSERT_TRUE(server_.wait_until([](const ScriptedServer& s) { return s.requests().back().body_complete; }));
  EXPECT_TRUE(server_.requests().back().body == sent);
}

TEST_F(ExchangeTest, a_post_that_may_have_arrived_is_sent_once) {
  server_.on("/a", respond(503));
  EXPECT_EQ(error_of([&] { client_.send(post(server_.url("/a"), "x")); }).kind(), Kind::lost);
  EXPECT_EQ(requests(), 1);
  CallOptions options;
  options.idempotent = true;
  EXPECT_EQ(error_of([&] { client_.send(post(server_.url("/a"), "x"), options); }).facts().attempts, 3);
}

TEST_F(ExchangeTest, a_post_on_a_dead_pooled_connection_is_not_sent_again_behind_our_back) {
  server_.on("/a", {respond(200), script().read_body().reset()});
  client_.send(post(server_.url("/a"), "first"));
  EXPECT_EQ(error_of([&] { client_.send(post(server_.url("/a"), "second")); }).kind(), Kind::lost);
  EXPECT_EQ(requests(), 2);
}

TEST_F(ExchangeTest, a_retry_after_longer_than_allowed_is_busy_and_says_how_long) {
  server_.on("/a", respond(503, {{"Retry-After", "3600"}}));
  const Error error = error_of([&] { client_.send(get(server_.url("/a"))); });
  EXPECT_EQ(error.kind(), Kind::busy);
  EXPECT_EQ(error.facts().retry_after, std::chrono::hours{1});
  EXPECT_EQ(requests(), 1);
}

TEST_F(ExchangeTest, retries_end_when_the_host_s_quota_is_spent) {
  server_.otherwise(respond(503));
  bool exhausted = false;
  int calls = 0;
  for (; calls < 40 && !exhausted; ++calls) {
    exhausted = error_of([&] { client_.send(get(server_.url("/a"))); }).facts().quota_exhausted;
  }
  EXPECT_TRUE(exhausted);
  // 500 tokens at 14 are 35 retries: two for each of the first 17 calls, one for the next.
  EXPECT_EQ(calls, 18);
  EXPECT_EQ(requests(), 18 + 35);
  EXPECT_LT(client_.statistics().quota_tokens.at(server_.origin()), 14);
}

TEST_F(ExchangeTest, an_upload_that_is_refused_midway_stops_sending) {
  server_.on("/a", script().read_body(1000).bytes("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno").stall());
  EXPECT_EQ(error_of([&] { client_.send(put(server_.url("/a"), std::string(64 << 20, 'x'))); }).kind(),
            Kind::denied);
  EXPECT_LT(client_.statistics().bytes_out, 32u << 20);
}

TEST_F(ExchangeTest, expect_100_continue_is_sent_only_when_asked_and_large) {
  server_.on("/a", respond(200));
  CallOptions options;
  options.expect_continue = true;
  client_.send(put(server_.url("/a"), std::string(2 << 20, 'x')), options);
  client_.send(put(server_.url("/a"), "small"), options);
  client_.send(put(server_.url("/a"), std::string(2 << 20, 'x')));
  const auto seen = server_.requests();
  EXPECT_EQ(seen.at(0).headers.get("expect"), "100-continue");
  EXPECT_FALSE(seen.at(1).headers.has("expect"));
  EXPECT_FALSE(seen.at(2).headers.has("expect"));
}

TEST_F(ExchangeTest, a_redirect_is_followed_and_secrets_stay_with_their_host) {
  ScriptedServer other;
  server_.on("/a", respond(302, {{"Location", other.url("/b")}}));
  other.on("/b", respond(200, {}, "there"));
  CallOptions options;
  options.max_redirects = 10;
  Request request =
      get(server_.url("/a"), {{"Authorization", "secret"}, {"X-Key", "secret"}, {"X-Plain", "1"}});
  request.secret_headers = {"X-Key"};
  const Response answer = client_.send(request, options);
  EXPECT_EQ(answer.body, "there");
  EXPECT_EQ(answer.url, other.url("/b"));
  const auto seen = other.requests().at(0);
  EXPECT_FALSE(seen.headers.has("authorization"));
  EXPECT_FALSE(seen.headers.has("x-key"));
  EXPECT_EQ(seen.headers.get("x-plain"), "1");
  const auto body = client_.open(request, options);
  EXPECT_EQ(read_all(*body), "there");
}

TEST_F(ExchangeTest, a_redirect_is_an_error_unless_asked_for) {
  server_.on("/a", respond(302, {{"Location", "/b"}}));
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a"))); }).facts().status, 302);
}

TEST_F(ExchangeTest, the_address_guard_makes_no_contact) {
  CallOptions options;
  options.guard = AddressPolicy::public_only();
  for (const std::string& url : {server_.url("/a"), server_.url("localhost", "/a")}) {
    const Error error = error_of([&] { client_.send(get(url), options); });
    EXPECT_EQ(error.kind(), Kind::denied);
    EXPECT_EQ(error.facts().code, code::kAddressGuard);
    EXPECT_EQ(error.facts().attempts, 1);
  }
  EXPECT_EQ(server_.connections(), 0);
  EXPECT_EQ(client_.statistics().guard_blocks, 2u);
}

TEST_F(ExchangeTest, the_guard_looks_again_at_a_pooled_connection) {
  server_.on("/a", respond(200));
  client_.send(get(server_.url("/a")));
  CallOptions options;
  options.guard = AddressPolicy::public_only();
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a")), options); }).facts().code,
            code::kAddressGuard);
  EXPECT_EQ(requests(), 1);
}

TEST_F(ExchangeTest, a_proxy_and_the_public_guard_are_refused_together) {
  CallOptions options;
  options.guard = AddressPolicy::public_only();
  options.proxy = server_.origin();
  EXPECT_EQ(error_of([&] { client_.send(get("http://example.com/"), options); }).kind(), Kind::refused);
}

TEST_F(ExchangeTest, a_proxy_is_asked_for_the_whole_url) {
  server_.otherwise(respond(200, {}, "by proxy"));
  CallOptions options;
  options.proxy = server_.origin();
  EXPECT_EQ(client_.send(get("http://example.com/x"), options).body, "by proxy");
  EXPECT_EQ(server_.requests().at(0).target, "http://example.com/x");
}

TEST_F(ExchangeTest, a_url_with_a_password_is_refused_and_not_shown) {
  const Error error = error_of([&] { client_.send(get("http://me:hunter2@127.0.0.1/a")); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ((error.message() + error.facts().subject).find("hunter2"), std::string::npos);
}

// Prepares on another thread, after the exchange may be over.
class SlowPolicy : public AttemptPolicy {
 public:
  void prepare(Request& request, Ready ready) override {
    request.headers.set("X-Prepared", std::to_string(++prepared_));
    std::thread([ready] { ready(std::nullopt); }).detach();
  }
  Verdict judge(const Attempt& attempt) override {
    if (attempt.status == 401 && prepared_ < 3) {
      return {.action = Verdict::Action::retry,
              .retry_class = RetryClass::mend,
              .error = {},
              .retry_after = {},
              .amz_retry_after = {}};
    }
    return plain_policy()->judge(attempt);
  }

 private:
  int prepared_ = 0;
};

// Fails while it prepares the third try, when its secrets are not asked for.
class ForgetfulPolicy : public AttemptPolicy {
 public:
  void prepare(Request&, Ready ready) override {
    if (++prepared_ < 3) return ready(std::nullopt);
    ready(Error(Kind::denied, "no credentials any more"));
  }
  Verdict judge(const Attempt& attempt) override { return plain_policy()->judge(attempt); }
  std::vector<std::string> secrets() const override { return {"canary-secret"}; }

 private:
  int prepared_ = 0;
};

TEST_F(ExchangeTest, the_first_failure_shows_no_secret_either) {
  server_.on("/a", respond(503, {}, "you sent canary-secret"));
  CallOptions options;
  options.policy = std::make_shared<ForgetfulPolicy>();
  const Error error = error_of([&] { client_.send(get(server_.url("/a")), options); });
  EXPECT_EQ(error.kind(), Kind::denied) << error.what();
  ASSERT_TRUE(error.facts().cause);
  EXPECT_EQ(error.facts().cause->facts().status, 503);
  EXPECT_EQ(error.facts().cause->message().find("canary-secret"), std::string::npos)
      << error.facts().cause->message();
}

TEST_F(ExchangeTest, a_policy_prepares_each_try_afresh_and_mends_at_no_cost) {
  server_.on("/a", {respond(401), respond(401), respond(200)});
  CallOptions options;
  options.policy = std::make_shared<SlowPolicy>();
  options.max_attempts = 1;
  EXPECT_EQ(client_.send(get(server_.url("/a")), options).attempts, 3);
  EXPECT_EQ(server_.requests().at(2).headers.get("x-prepared"), "3");
  EXPECT_EQ(client_.statistics().quota_tokens.at(server_.origin()), RetryQuota::kTokens);
}

}  // namespace
}  // namespace penstock::http
