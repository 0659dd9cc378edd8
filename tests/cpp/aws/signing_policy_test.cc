#include "penstock/aws/signing_policy.h"

#include <future>

#include <gtest/gtest.h>

#include "penstock/aws/cache.h"
#include "penstock/aws/dates.h"
#include "penstock/aws/digest.h"
#include "penstock/aws/sign.h"
#include "penstock/http/client.h"
#include "penstock/http/http_date.h"

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/scripted_server.h"

namespace penstock::aws {
namespace {

using http::RetryClass;
using http::Verdict;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::error_of;

const WallTime kNow{seconds{1'800'000'000}};
const Credentials kKeys{.access_key_id = "AKIDEXAMPLE", .secret_access_key = "secret-canary"};

// One policy, its client, and a clock that says what the test wants.
struct Bench {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kNow);
  std::shared_ptr<http::Client> client = std::make_shared<http::Client>(http::ClientOptions{.clock = clock});
  std::shared_ptr<CredentialCache> credentials = fixed_cache(kKeys);
  SigningOptions options;
  std::shared_ptr<http::AttemptPolicy> policy;
  http::Request sent;

  http::AttemptPolicy& the_policy() {
    if (!policy) policy = signing_policy(client, credentials, options);
    return *policy;
  }

  // The request as it would go out, or the Error that keeps it here.
  const http::Request& prepare(http::Request request) {
    sent = std::move(request);
    std::promise<std::optional<Error>> ready;
    the_policy().prepare(sent, [&](std::optional<Error> error) { ready.set_value(std::move(error)); });
    if (auto error = ready.get_future().get()) throw *error;
    return sent;
  }
  const http::Request& prepare(const char* url) { return prepare(http::Request{.url = url}); }

  Verdict judge(int status, http::Headers headers = {}, std::string_view body = {}) {
    return the_policy().judge(
        {.request = sent, .status = status, .headers = headers, .body = body, .at = clock->wall()});
  }
  Verdict judge_code(int status, const std::string& code, http::Headers headers = {}) {
    return judge(status, std::move(headers), "<Error><Code>" + code + "</Code></Error>");
  }
  std::string content_hash(http::Request request) {
    return std::string{prepare(std::move(request)).headers.get("x-amz-content-sha256")};
  }
};

http::Request put(std::string url, std::size_t size) {
  return {.method = "PUT", .url = std::move(url), .body = http::text_payload(test::random_bytes(size))};
}

std::string hash_of(std::size_t size) {
  return hex_sha256(test::random_bytes(size));
}

bool is_mended(const Verdict& verdict) {
  return verdict.action == Verdict::Action::retry && verdict.retry_class == RetryClass::mend;
}

TEST(SigningPolicy, signs_with_the_clients_clock_and_the_options_scope) {
  Bench bench;
  bench.options.region = "eu-west-1";
  const auto& request = bench.prepare("https://b.example/k");
  EXPECT_EQ(request.headers.get("x-amz-date"), amz_date(kNow));
  EXPECT_TRUE(
      request.headers.get("authorization")
          .starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-west-1/s3/aws4_request, "));
}

TEST(SigningPolicy, signs_every_attempt_afresh) {
  Bench bench;
  const http::Request asked{.url = "https://b.example/k"};
  const std::string first{bench.prepare(asked).headers.get("authorization")};
  bench.clock->advance(seconds{5});
  EXPECT_NE(bench.prepare(asked).headers.get("authorization"), first);
  EXPECT_EQ(bench.sent.headers.all("authorization").size(), 1u);
}

TEST(SigningPolicy, payload_goes_unsigned_over_tls_and_loopback_when_it_is_an_object) {
  constexpr std::size_t kObject = 100'000;
  EXPECT_EQ(Bench{}.content_hash(put("https://b.example/k", kObject)), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(Bench{}.content_hash(put("http://127.0.0.1:9000/k", kObject)), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(Bench{}.content_hash(put("http://localhost/k", kObject)), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(Bench{}.content_hash(put("http://[::1]/k", kObject)), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(Bench{}.content_hash(put("http://b.example/k", kObject)), hash_of(kObject));
  EXPECT_EQ(Bench{}.content_hash(put("http://127.0.0.1.example/k", kObject)), hash_of(kObject));
}

TEST(SigningPolicy, small_bodies_carry_their_hash_everywhere) {
  EXPECT_EQ(Bench{}.content_hash(put("https://b.example/k", 1000)), hash_of(1000));
  EXPECT_EQ(Bench{}.content_hash({.url = "https://b.example/k"}), hex_sha256(""));
}

TEST(SigningPolicy, payload_signing_can_be_forced_and_forbidden) {
  Bench hashed, plain;
  hashed.options.payload = SigningOptions::Payload::hash;
  EXPECT_EQ(hashed.content_hash(put("https://b.example/k", 100'000)), hash_of(100'000));
  plain.options.payload = SigningOptions::Payload::is_unsigned;
  EXPECT_EQ(plain.content_hash(put("http://b.example/k", 10)), "UNSIGNED-PAYLOAD");
}

TEST(SigningPolicy, other_services_sign_the_hash_and_send_no_header_for_it) {
  Bench bench;
  bench.options.service = "sqs";
  EXPECT_FALSE(bench.prepare(put("https://sqs.example/", 100)).headers.has("x-amz-content-sha256"));
}

TEST(SigningPolicy, anonymous_requests_stay_unsigned) {
  Bench bench;
  bench.credentials = fixed_cache({.anonymous = true});
  EXPECT_TRUE(bench.prepare("https://b.example/k").headers.empty());
}

TEST(SigningPolicy, no_credentials_is_the_exchanges_error) {
  Bench bench;
  bench.credentials =
      make_cache({.load = [](const Call&) -> Credentials { throw Error{Kind::denied, "none"}; },
                  .run = [](auto job) { job(); }});
  EXPECT_EQ(error_of([&] { bench.prepare("https://b.example/k"); }).kind(), Kind::denied);
}

TEST(SigningPolicy, successes_and_transport_failures_are_judged_as_everywhere) {
  Bench bench;
  bench.prepare("https://b.example/k");
  EXPECT_EQ(bench.judge(200).action, Verdict::Action::accept);
  EXPECT_EQ(bench.judge(206).action, Verdict::Action::accept);
  const Error cut{Kind::lost, "connection reset"};
  const auto verdict = bench.the_policy().judge(
      {.request = bench.sent, .headers = bench.sent.headers, .fault = &cut, .at = kNow});
  EXPECT_EQ(verdict.action, Verdict::Action::retry);
  EXPECT_EQ(verdict.retry_class, RetryClass::transient);
}

TEST(SigningPolicy, the_code_decides_before_the_status) {
  Bench bench;
  bench.prepare("https://b.example/k");
  EXPECT_EQ(bench.judge_code(400, "RequestTimeout").retry_class, RetryClass::transient);
  EXPECT_EQ(bench.judge_code(400, "ThrottlingException").retry_class, RetryClass::throttle);
  EXPECT_EQ(bench.judge_code(503, "SlowDown").retry_class, RetryClass::throttle);
  EXPECT_EQ(bench.judge_code(503, "Unheard").retry_class, RetryClass::transient);
  const auto verdict = bench.judge_code(403, "AccessDenied");
  EXPECT_EQ(verdict.action, Verdict::Action::fail);
  EXPECT_EQ(verdict.error->kind(), Kind::denied);
  EXPECT_EQ(verdict.error->facts().code, "AccessDenied");
}

TEST(SigningPolicy, a_failure_that_says_nothing_is_judged_by_its_status) {
  Bench bench;
  bench.prepare("https://b.example/k");
  EXPECT_EQ(bench.judge(404).error->kind(), Kind::missing);
  EXPECT_EQ(bench.judge(503).retry_class, RetryClass::transient);
}

TEST(SigningPolicy, a_failure_that_says_nothing_has_the_ids_its_service_asks_for) {
  Bench bench;
  bench.prepare("https://h/b/k");
  const Facts facts = bench.judge(403, {{"x-amz-request-id", "R1"}, {"x-amz-id-2", "H2"}}).error->facts();
  EXPECT_EQ(facts.request_id, "R1");
  EXPECT_EQ(facts.host_id, "H2");
}

TEST(SigningPolicy, when_to_come_back_is_in_the_error) {
  Bench bench;
  bench.prepare("https://h/b/k");
  const auto verdict = bench.judge_code(503, "SlowDown", {{"Retry-After", "7"}});
  EXPECT_EQ(verdict.error->facts().retry_after, seconds{7});
}

TEST(SigningPolicy, hints_of_the_server_come_along) {
  Bench bench;
  bench.prepare("https://b.example/k");
  const auto verdict =
      bench.judge_code(503, "SlowDown", {{"Retry-After", "7"}, {"x-amz-retry-after", "1500"}});
  EXPECT_EQ(verdict.retry_after, seconds{7});
  EXPECT_EQ(verdict.amz_retry_after, std::chrono::milliseconds{1500});
}

class SigningPolicySkew : public ::testing::TestWithParam<int> {};

TEST_P(SigningPolicySkew, mends_in_one_retry_by_the_servers_time_in_the_body) {
  const hours off{GetParam()};
  Bench bench;
  bench.prepare("https://b.example/k");
  const auto verdict = bench.judge(403, {},
                                   "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>" +
                                       amz_date(kNow + off) + "</ServerTime></Error>");
  EXPECT_TRUE(is_mended(verdict));
  EXPECT_EQ(bench.prepare("https://b.example/k").headers.get("x-amz-date"), amz_date(kNow + off));
  EXPECT_EQ(bench.client->statistics().skew_corrections, 1u);
}

TEST_P(SigningPolicySkew, mends_in_one_retry_by_the_date_header) {
  const hours off{GetParam()};
  Bench bench;
  bench.prepare("https://b.example/k");
  EXPECT_TRUE(
      is_mended(bench.judge_code(403, "SignatureDoesNotMatch", {{"Date", http::http_date(kNow + off)}})));
  EXPECT_EQ(bench.prepare("https://b.example/k").headers.get("x-amz-date"), amz_date(kNow + off));
}

TEST_P(SigningPolicySkew, mends_a_head_which_says_no_code) {
  const hours off{GetParam()};
  Bench bench;
  bench.prepare({.method = "HEAD", .url = "https://b.example/k"});
  EXPECT_TRUE(is_mended(bench.judge(403, {{"Date", http::http_date(kNow + off)}})));
}

INSTANTIATE_TEST_SUITE_P(HoursOff, SigningPolicySkew, ::testing::Values(-24, -1, 1, 24));

TEST(SigningPolicy, skew_is_mended_once_a_call) {
  Bench bench;
  bench.prepare("https://b.example/k");
  const http::Headers date{{"Date", http::http_date(kNow + hours{1})}};
  EXPECT_TRUE(is_mended(bench.judge_code(403, "RequestTimeTooSkewed", date)));
  EXPECT_EQ(bench.judge_code(403, "RequestTimeTooSkewed", date).action, Verdict::Action::fail);
}

TEST(SigningPolicy, a_bad_signature_with_clocks_that_agree_is_not_skew) {
  Bench bench;
  bench.prepare("https://b.example/k");
  for (const auto off : {minutes{-5}, minutes{0}, minutes{5}}) {
    const auto verdict =
        bench.judge_code(403, "SignatureDoesNotMatch", {{"Date", http::http_date(kNow + off)}});
    EXPECT_EQ(verdict.action, Verdict::Action::fail);
    EXPECT_EQ(verdict.error->kind(), Kind::denied);
  }
  EXPECT_EQ(bench.judge_code(403, "AccessDenied", {{"Date", http::http_date(kNow + hours{1})}}).action,
            Verdict::Action::fail);
  EXPECT_EQ(bench.judge_code(403, "RequestTimeTooSkewed").action, Verdict::Action::fail);  // no time to go by
}

TEST(SigningPolicy, what_one_call_learnt_serves_the_next_and_presigning_on_that_host_and_client) {
  Bench first;
  first.prepare("https://b.example/k");
  first.judge_code(403, "RequestTimeTooSkewed", {{"Date", http::http_date(kNow + hours{3})}});

  first.policy.reset();
  EXPECT_EQ(first.prepare("https://b.example/other").headers.get("x-amz-date"), amz_date(kNow + hours{3}));
  EXPECT_EQ(first.prepare("https://c.example/k").headers.get("x-amz-date"), amz_date(kNow));
  EXPECT_EQ(corrected_now(*first.client, "b.example"), kNow + hours{3});
  EXPECT_EQ(corrected_now(*first.client, "c.example"), kNow);
  Bench other;
  EXPECT_EQ(corrected_now(*other.client, "b.example"), kNow);
}

TEST(SigningPolicy, an_offset_that_has_become_wrong_is_corrected) {
  Bench bench;
  bench.prepare("https://b.example/k");
  bench.judge_code(403, "RequestTimeTooSkewed", {{"Date", http::http_date(kNow + hours{3})}});
  bench.clock->set_wall(kNow + hours{3});  // our clock was set right meanwhile
  bench.policy.reset();
  bench.prepare("https://b.example/k");
  EXPECT_TRUE(is_mended(
      bench.judge_code(403, "SignatureDoesNotMatch", {{"Date", http::http_date(kNow + hours{3})}})));
  EXPECT_EQ(corrected_now(*bench.client, "b.example"), kNow + hours{3});
}

TEST(SigningPolicy, an_expired_token_is_refreshed_and_tried_once_more) {
  for (const auto* code : {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}) {
    Bench bench;
    int loads = 0;
    bench.credentials =
        make_cache({.load =
                        [&](const Call&) {
                          return Credentials{.access_key_id = "AKID" + std::to_string(++loads),
                                             .secret_access_key = "s",
                                             .session_token = "t"};
                        },
                    .run = [](auto job) { job(); }});
    bench.prepare("https://b.example/k");
    EXPECT_TRUE(is_mended(bench.judge_code(400, code)));
    EXPECT_NE(bench.prepare("https://b.example/k").headers.get("authorization").find("AKID2/"),
              std::string::npos);
    const auto again = bench.judge_code(400, code);
    EXPECT_EQ(again.action, Verdict::Action::fail);
    EXPECT_EQ(again.error->kind(), Kind::denied);
    EXPECT_EQ(loads, 2);
  }
}

struct Region : Bench {
  int moves = 0;
  Region() {
    options.move_region = [this](const std::string& region, const http::Request&) {
      ++moves;
      return "https://b.s3." + region + ".example/k";
    };
    prepare("https://b.s3.example/k");
  }
};

TEST(SigningPolicy, another_region_moves_host_and_scope_once) {
  const std::pair<int, std::string> cases[] = {
      {301, "PermanentRedirect"},
      {307, "TemporaryRedirect"},
      {400, "AuthorizationHeaderMalformed"},
      {400, "IllegalLocationConstraintException"},
      {301, ""},
      {400, ""},
  };
  for (const auto& [status, code] : cases) {
    Region bench;
    EXPECT_TRUE(is_mended(bench.judge_code(status, code, {{"x-amz-bucket-region", "eu-west-1"}}))) << code;
    const auto& request = bench.prepare("https://b.s3.example/k");
    EXPECT_EQ(request.url, "https://b.s3.eu-west-1.example/k");
    EXPECT_NE(request.headers.get("authorization").find("/eu-west-1/s3/"), std::string::npos);
    EXPECT_EQ(bench.judge_code(status, code, {{"x-amz-bucket-region", "us-west-2"}}).action,
              Verdict::Action::fail);
    EXPECT_EQ(bench.moves, 1);
  }
}

TEST(SigningPolicy, the_region_may_stand_in_the_body) {
  Region bench;
  EXPECT_TRUE(is_mended(bench.judge(
      400, {}, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")));
}

TEST(SigningPolicy, no_other_region_no_move) {
  Region bench;
  EXPECT_EQ(bench.judge_code(301, "PermanentRedirect").action, Verdict::Action::fail);
  EXPECT_EQ(bench.judge_code(301, "PermanentRedirect", {{"x-amz-bucket-region", "us-east-1"}}).action,
            Verdict::Action::fail);
  EXPECT_EQ(bench.judge_code(403, "AccessDenied", {{"x-amz-bucket-region", "eu-west-1"}}).action,
            Verdict::Action::fail);
  EXPECT_EQ(bench.moves, 0);
}

TEST(SigningPolicy, giving_up_the_move_is_a_failure) {
  Bench bench;
  bench.options.move_region = [](const std::string&, const http::Request&) { return std::string{}; };
  bench.prepare("https://b.example/k");
  EXPECT_EQ(bench.judge_code(301, "PermanentRedirect", {{"x-amz-bucket-region", "eu-west-1"}}).action,
            Verdict::Action::fail);
}

TEST(SigningPolicy, a_200_is_looked_into_only_where_it_may_hold_an_error) {
  Bench plain, looking;
  looking.options.error_in_200 = true;
  plain.prepare("https://b.example/k");
  looking.prepare("https://b.example/k");
  EXPECT_EQ(plain.judge_code(200, "InternalError").action, Verdict::Action::accept);
  EXPECT_EQ(looking.judge_code(200, "InternalError").retry_class, RetryClass::transient);
  EXPECT_EQ(looking.judge_code(200, "AccessDenied").error->kind(), Kind::denied);
  EXPECT_EQ(looking.judge(200, {}, "  <Done><ETag>x</ETag></Done>").action, Verdict::Action::accept);
}

TEST(SigningPolicy, a_200_whose_xml_was_cut_off_is_transient) {
  Bench bench;
  bench.options.error_in_200 = true;
  bench.prepare("https://b.example/k");
  for (const auto* body : {"", "   ", "<?xml version=\"1.0\"?>", "<Done><ETag>"}) {
    const auto verdict = bench.judge(200, {}, body);
    EXPECT_EQ(verdict.retry_class, RetryClass::transient) << body;
    EXPECT_EQ(verdict.error->kind(), Kind::lost);
  }
}

// Through the engine: what the server sees.
TEST(SigningPolicyOnTheWire, a_clock_24_hours_off_costs_one_retry) {
  for (const hours off : {hours{-24}, hours{24}}) {
    test::ScriptedServer server;
    const auto server_time = kNow + off;
    server.on("/b/k", {test::respond(403, {{"x-amz-request-id", "R"}},
                                     "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>" +
                                         amz_date(server_time) + "</ServerTime></Error>"),
                       test::respond(200, {}, "content")});
    Bench bench;
    const auto response =
        bench.client->send({.url = server.url("/b/k")},
                           {.policy = signing_policy(bench.client, bench.credentials, bench.options)});
    EXPECT_EQ(response.body, "content");
    EXPECT_EQ(response.attempts, 2);
    const auto seen = server.requests();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].headers.get("x-amz-date"), amz_date(kNow));
    EXPECT_EQ(seen[1].headers.get("x-amz-date"), amz_date(server_time));
  }
}

// As many pipelines as there are workers may all wait for a part of theirs to be signed.
TEST(SigningPolicyOnTheWire, a_body_is_hashed_though_every_worker_waits) {
  test::ScriptedServer server;
  server.on("/b/k", test::respond(200));
  Bench bench;
  bench.options.payload = SigningOptions::Payload::hash;
  std::promise<void> sent;
  const std::shared_future<void> over = sent.get_future();
  for (int i = 0; i < 256; ++i) bench.client->workers().run([over] { over.wait(); });
  const auto response =
      bench.client->send(put(server.url("/b/k"), 100'000),
                         {.call = {.deadline = Deadline::after(test::kPatience)},
                          .policy = signing_policy(bench.client, bench.credentials, bench.options)});
  sent.set_value();
  EXPECT_EQ(response.status, 200);
}

TEST(SigningPolicyOnTheWire, the_signed_host_is_the_one_sent) {
  test::ScriptedServer server;
  server.on("/b//k%20x", test::respond(200));
  Bench bench;
  bench.client->send({.url = server.url("/b//k%20x")},
                     {.policy = signing_policy(bench.client, bench.credentials, bench.options)});
  const auto seen = server.requests().at(0);
  EXPECT_EQ(seen.target, "/b//k%20x");
  EXPECT_EQ(seen.headers.get("host"), "127.0.0.1:" + std::to_string(server.port()));
  // The server's own computation over what it saw.
  http::Headers headers{{"Host", std::string{seen.headers.get("host")}}};
  const auto again = sign({.url = server.url("/b//k%20x"), .headers = headers, .now = kNow}, kKeys);
  EXPECT_EQ(seen.headers.get("authorization"), again.headers.get("authorization"));
}

TEST(SigningPolicyOnTheWire, an_unsigned_secret_never_reaches_the_error) {
  test::ScriptedServer server;
  server.on("/b/k",
            test::respond(403, {},
                          "<Error><Code>SignatureDoesNotMatch</Code><Message>Authorization: canary</Message>"
                          "<StringToSign>canary</StringToSign></Error>"));
  Bench bench;
  const auto error = error_of([&] {
    bench.client->send({.url = server.url("/b/k?X-Amz-Signature=canary")},
                       {.policy = signing_policy(bench.client, bench.credentials, bench.options)});
  });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
  EXPECT_EQ(error.facts().code, "SignatureDoesNotMatch");
}

}  // namespace
}  // namespace penstock::aws
