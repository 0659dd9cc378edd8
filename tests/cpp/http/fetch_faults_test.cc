// Redirects, retries, framing and proxies, end to end against a server that lies on demand.
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;
using namespace std::chrono_literals;

CallOptions following(int most = 10) {
  CallOptions options;
  options.max_redirects = most;
  return options;
}

Script moved(std::string location, int status = 302) {
  return test::respond(status, {{"Location", std::move(location)}});
}

class FetchFaults : public ::testing::Test {
 protected:
  Error failure(Request request, CallOptions options = {}) {
    return error_of([&] { client_.send(std::move(request), std::move(options)); });
  }
  ScriptedServer server_, other_;
  Client client_{quick()};
};

TEST_F(FetchFaults, every_redirect_is_followed_and_secrets_stay_at_their_origin) {
  other_.on("/end", test::respond(200, {}, "there"));
  for (const int status : {301, 302, 303, 307, 308}) {
    server_.on("/start", moved("/middle", status));
    server_.on("/middle", moved(other_.url("/end"), status));
    Request request =
        get(server_.url("/start"), {{"Authorization", "hunter2"}, {"X-Key", "hunter2"}, {"X-Plain", "p"}});
    request.secret_headers = {"X-Key"};
    const Response answer = client_.send(request, following());
    EXPECT_EQ(answer.body, "there");
    EXPECT_EQ(answer.url, other_.url("/end"));
    EXPECT_TRUE(server_.requests("/middle").back().headers.has("Authorization"));
    const SeenRequest last = other_.requests().back();
    EXPECT_EQ(last.head.find("hunter2"), std::string::npos) << last.head;
    EXPECT_EQ(last.headers.get("X-Plain"), "p");
    EXPECT_EQ(last.headers.get("Host"), "127.0.0.1:" + std::to_string(other_.port()));
  }
}

TEST_F(FetchFaults, a_redirect_loop_ends_after_the_most_allowed) {
  server_.on("/a", moved("/a"));
  EXPECT_EQ(failure(get(server_.url("/a")), following(10)).kind(), Kind::refused);
  EXPECT_EQ(server_.requests("/a").size(), 11u);
}

TEST_F(FetchFaults, a_redirect_nobody_asked_to_follow_is_an_error) {
  server_.on("/a", moved("/b"));
  EXPECT_EQ(failure(get(server_.url("/a"))).facts().status, 302);
  EXPECT_TRUE(server_.requests("/b").empty());
}

TEST_F(FetchFaults, a_redirect_to_the_metadata_address_contacts_nobody) {
  server_.on("/a", moved("http://169.254.169.254/latest/meta-data/"));
  const Error error = failure(get(server_.url("/a")), following());
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().code, code::kAddressGuard);
  EXPECT_EQ(client_.statistics().guard_blocks, 1u);
}

TEST_F(FetchFaults, every_spelling_of_the_metadata_address_is_denied) {
  for (const char* host :
       {"169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]"}) {
    const Error error = failure(get(std::string("http://") + host + "/"));
    EXPECT_EQ(error.kind(), Kind::denied) << host << ": " << error.what();
    EXPECT_EQ(error.facts().code, code::kAddressGuard) << host;
  }
}

TEST_F(FetchFaults, a_pooled_connection_is_not_reused_under_a_stricter_guard) {
  server_.on("/a", test::respond(200, {}, "x"));
  client_.send(get(server_.url("/a")));
  CallOptions strict;
  strict.guard = AddressPolicy::public_only();
  const Error error = failure(get(server_.url("/a")), strict);
  EXPECT_EQ(error.kind(), Kind::denied) << error.what();
  EXPECT_EQ(server_.requests("/a").size(), 1u);
}

TEST_F(FetchFaults, a_header_that_splits_the_request_is_refused_before_any_connection) {
  EXPECT_EQ(failure(get(server_.url("/a"), {{"X", "a\r\nEvil: 1"}})).kind(), Kind::refused);
  EXPECT_EQ(failure(get(server_.url("/a"), {{"X\r\nEvil", "1"}})).kind(), Kind::refused);
  EXPECT_EQ(failure(get(server_.url("/a\r\nEvil: 1"))).kind(), Kind::refused);
  EXPECT_EQ(failure(get("http://user:hunter2@127.0.0.1:" + std::to_string(server_.port()) + "/")).kind(),
            Kind::refused);
  EXPECT_EQ(server_.connections(), 0);
}

TEST_F(FetchFaults, a_retry_after_longer_than_the_most_is_busy_at_once) {
  server_.on("/s", test::respond(503, {{"Retry-After", "61"}}));
  server_.on("/d", test::respond(503, {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                       {"Retry-After", "Sun, 06 Nov 1994 08:51:07 GMT"}}));
  for (const auto& [path, hint] : {std::pair{"/s", 61s}, std::pair{"/d", 90s}}) {
    const Error error = failure(get(server_.url(path)));
    EXPECT_EQ(error.kind(), Kind::busy) << path;
    EXPECT_EQ(error.facts().retry_after, hint) << path;
    EXPECT_EQ(server_.requests(path).size(), 1u) << path;
  }
}

TEST_F(FetchFaults, a_short_retry_after_is_waited_and_the_call_succeeds) {
  server_.on("/a", {test::respond(503, {{"Retry-After", "1"}}), test::respond(200, {}, "x")});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client_.send(get(server_.url("/a"))).attempts, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 990ms);
}

TEST_F(FetchFaults, amazons_hint_in_milliseconds_is_waited_and_no_longer_than_five_seconds) {
  server_.on("/a", {test::respond(503, {{"x-amz-retry-after", "400"}, {"Retry-After", "3600"}}),
                    test::respond(200, {}, "x")});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client_.send(get(server_.url("/a"))).attempts, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 399ms);

  ClientOptions options = quick();
  const auto clock = std::make_shared<ManualClock>();
  options.clock = clock;
  Client client(options);
  server_.on("/long", {test::respond(503, {{"x-amz-retry-after", "3600000"}}), test::respond(200, {}, "x")});
  auto answer = std::async(std::launch::async, [&] { return client.send(get(server_.url("/long"))); });
  while (client.statistics().retries_by_class["transient"] == 0) std::this_thread::sleep_for(1ms);
  clock->advance(4'990ms);
  EXPECT_EQ(answer.wait_for(200ms), std::future_status::timeout);
  clock->advance(60ms);  // the jitter of a first transient retry is 50 ms at most
  EXPECT_EQ(answer.get().attempts, 2);
}

TEST_F(FetchFaults, what_the_caller_marked_secret_is_in_no_error_whoever_echoes_it) {
  constexpr const char* kSecret = "canary/7f+3";
  const auto answers = {
      test::respond(403, {}, "<html>you sent canary/7f+3</html>"),
      test::respond(403, {}, "you sent canary%2F7f%2B3"),
      test::respond(302, {{"Location", "/echo/canary%2F7f%2B3"}}),
      test::respond(302, {{"Location", other_.url("/echo/canary/7f+3")}}),
      script().bytes("HTTP/1.1 200 OK\r\nContent-Length: canary/7f+3\r\n\r\n").close(),
  };
  for (const auto& answer : answers) {
    server_.on("/a", answer);
    Request request = get(server_.url("/a?X-Amz-Signature=") + kSecret,
                          {{"Authorization", std::string("Bearer ") + kSecret}, {"X-Own", kSecret}});
    request.secret_headers = {"X-Own"};
    const Error error = failure(std::move(request), following());
    EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
    EXPECT_EQ(error.facts().subject.find("canary"), std::string::npos) << error.facts().subject;
  }
}

TEST_F(FetchFaults, content_encoding_is_left_alone) {
  const std::string bytes = "\x1f\x8bnot really gzip";
  server_.on("/a", test::respond(200, {{"Content-Encoding", "gzip"}}, bytes));
  const Response answer = client_.send(get(server_.url("/a")));
  EXPECT_EQ(answer.body, bytes);
  EXPECT_EQ(answer.headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(server_.requests()[0].headers.get("Accept-Encoding"), "identity");
}

TEST_F(FetchFaults, in_a_total_outage_traffic_stays_under_twice_the_normal) {
  server_.on("/a", script().read_body().reset());
  int quota_ended = 0;
  constexpr int kCalls = 120;
  for (int i = 0; i < kCalls; ++i) quota_ended += failure(get(server_.url("/a"))).facts().quota_exhausted;
  EXPECT_LE(server_.requests("/a").size(), 2u * kCalls);
  EXPECT_GT(quota_ended, 0);
  EXPECT_LT(client_.statistics().quota_tokens.begin()->second, 14);
}

// However early the connection ends, a short body is never a success. Only the very last LF may be missing:
// by then the last chunk is in.
TEST_F(FetchFaults, an_answer_cut_at_any_point_is_lost_or_corrupt) {
  const std::string whole =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Filler: " + std::string(90, 'f') +
      "\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n5\r\nabcde\r\n0\r\n\r\n";
  CallOptions once;
  once.max_attempts = 1;
  ASSERT_GE(whole.size(), 200u);
  for (std::size_t cut = 0; cut + 1 < whole.size(); ++cut) {
    server_.on("/a", script().bytes(whole.substr(0, cut)).close());
    const auto error = error_from([&] { client_.send(get(server_.url("/a")), once); });
    ASSERT_TRUE(error.has_value()) << "cut at " << cut;
    EXPECT_TRUE(error->kind() == Kind::lost || error->kind() == Kind::corrupt)
        << cut << ": " << error->what();
  }
  server_.on("/a", script().bytes(whole));
  EXPECT_EQ(client_.send(get(server_.url("/a")), once).body, "01234567890123456789abcde");
}

TEST_F(FetchFaults, lengths_that_disagree_are_corrupt) {
  for (const char* fields :
       {"Content-Length: 3\r\nContent-Length: 4", "Content-Length: 3, 4", "Content-Length: x",
        "Content-Length: -3", "Content-Length: 99999999999999999999"}) {
    server_.on("/a", script().bytes(std::string("HTTP/1.1 200 OK\r\n") + fields + "\r\n\r\nabc").close());
    EXPECT_EQ(failure(get(server_.url("/a"))).kind(), Kind::corrupt) << fields;
  }
}

TEST_F(FetchFaults, what_is_no_http_is_never_a_success) {
  CallOptions once;
  once.max_attempts = 1;
  for (const char* answer : {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/0.9\r\n\r\nx", "\r\n\r\n",
                             "HTTP/1.1 abc Fine\r\n\r\n", "<html>hello</html>\r\n\r\n"}) {
    server_.on("/a", script().bytes(answer).close());
    EXPECT_TRUE(error_from([&] { client_.send(get(server_.url("/a")), once); }).has_value()) << answer;
  }
}

TEST_F(FetchFaults, a_forward_proxy_gets_the_whole_url) {
  other_.otherwise(test::respond(200, {}, "by proxy"));
  ClientOptions options = quick();
  options.proxy = other_.origin();
  Client client(options);
  EXPECT_EQ(client.send(get("http://far.example/x?y")).body, "by proxy");
  EXPECT_EQ(other_.requests()[0].target, "http://far.example/x?y");
  EXPECT_EQ(other_.requests()[0].headers.get("Host"), "far.example");
}

TEST_F(FetchFaults, public_only_through_a_proxy_is_refused_unless_allowed) {
  other_.otherwise(test::respond(200, {}, "by proxy"));
  ClientOptions options = quick();
  options.proxy = other_.origin();
  options.guard = AddressPolicy::public_only();
  EXPECT_EQ(error_of([&] { Client(options).send(get("http://far.example/")); }).kind(), Kind::refused);
  EXPECT_EQ(other_.connections(), 0);
}

}  // namespace
}  // namespace penstock::http
