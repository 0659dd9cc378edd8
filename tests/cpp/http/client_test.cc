#include "penstock/http/client.h"

#include <atomic>
#include <future>
#include <string>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;

class ClientTest : public ::testing::Test {
 protected:
  ScriptedServer server_;
  Client client_{quick()};
};

TEST_F(ClientTest, a_small_answer_comes_whole_with_its_head) {
  server_.on("/a", respond(200, {{"X-Word", "plain"}}, "hello"));
  const Response answer = client_.send(get(server_.url("/a")));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.headers.get("x-word"), "plain");
  EXPECT_EQ(answer.attempts, 1);
}

TEST_F(ClientTest, submit_calls_back_once_with_the_answer) {
  server_.on("/a", respond(200, {}, "hello"));
  std::promise<Outcome> came;
  std::atomic<int> calls{0};
  client_.submit(get(server_.url("/a")), {}, [&](Outcome outcome) {
    ++calls;
    came.set_value(std::move(outcome));
  });
  EXPECT_EQ(std::get<Response>(came.get_future().get()).body, "hello");
  client_.close();
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientTest, a_body_larger_than_the_ring_arrives_whole) {
  constexpr std::uint64_t kSize = 5'000'000;
  server_.on("/big", script().serve({.size = kSize}));
  const auto body = client_.open(get(server_.url("/big")));
  EXPECT_EQ(body->status(), 200);
  EXPECT_EQ(body->remaining(), kSize);
  EXPECT_TRUE(body->framed());
  EXPECT_TRUE(read_all(*body) == pattern(0, kSize));
  EXPECT_EQ(body->remaining(), 0u);
}

TEST_F(ClientTest, a_body_nobody_reads_stops_at_the_ring) {
  constexpr std::uint64_t kSize = 64 << 20;
  server_.on("/big", script().serve({.size = kSize}));
  const auto body = client_.open(get(server_.url("/big")));
  std::vector<std::byte> one(1);
  ASSERT_EQ(body->read(one), 1u);
  // Ring, libcurl's buffer and the heads of both; what the kernel holds is not counted.
  EXPECT_LE(client_.statistics().bytes_in, 1_MiB + 256_KiB + 64_KiB);
}

TEST_F(ClientTest, a_payload_arrives_byte_for_byte) {
  server_.on("/up", respond(200, {{"ETag", "\"x\""}}));
  const std::string sent = pattern(0, 3'000'000);
  const Response answer = client_.send(put(server_.url("/up"), sent));
  EXPECT_EQ(answer.headers.get("etag"), "\"x\"");
  ASSERT_TRUE(
      server_.wait_until([](const ScriptedServer& s) { return s.requests("/up").at(0).body_complete; }));
  const auto seen = server_.requests("/up");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].body_bytes, sent.size());
  EXPECT_TRUE(seen[0].body_complete);
  EXPECT_TRUE(seen[0].body == sent.substr(0, ScriptedServer::kKeptBody));
}

TEST_F(ClientTest, methods_and_headers_go_out_as_given) {
  server_.otherwise(respond(200));
  for (const char* method : {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"}) {
    Request request = get(server_.url("/m//./x%2e?b=2&a"), {{"X-Empty", ""}, {"X-One", "1"}});
    request.method = method;
    client_.send(request);
  }
  const auto seen = server_.requests();
  ASSERT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen[3].method, "DELETE");
  for (const auto& request : seen) {
    EXPECT_EQ(request.target, "/m//./x%2e?b=2&a");
    EXPECT_EQ(request.headers.get("x-one"), "1");
    EXPECT_TRUE(request.headers.has("x-empty"));
    EXPECT_EQ(request.headers.get("accept-encoding"), "identity");
    EXPECT_FALSE(request.headers.has("expect"));
    EXPECT_FALSE(request.headers.has("content-type")) << request.method;
  }
}

TEST_F(ClientTest, one_connection_serves_request_after_request) {
  server_.on("/a", respond(200, {}, "hello"));
  for (int i = 0; i < 5; ++i) client_.send(get(server_.url("/a")));
  EXPECT_EQ(server_.connections(), 1);
  const auto host = client_.statistics().hosts.at(server_.origin());
  EXPECT_EQ(host.created, 1u);
  EXPECT_EQ(host.reused, 4u);
  EXPECT_EQ(host.requests, 5u);
}

TEST_F(ClientTest, an_absent_resource_is_missing_with_its_facts) {
  server_.on("/gone", respond(404, {}, "no such thing"));
  const Error error = error_of([&] { client_.send(get(server_.url("/gone?secret=1"))); });
  EXPECT_EQ(error.kind(), Kind::missing);
  EXPECT_EQ(error.facts().status, 404);
  EXPECT_EQ(error.facts().attempts, 1);
  EXPECT_EQ(error.facts().subject, server_.url("/gone"));
  EXPECT_EQ(error_of([&] { client_.open(get(server_.url("/gone"))); }).kind(), Kind::missing);
}

TEST_F(ClientTest, an_answer_over_its_limit_is_corrupt) {
  server_.on("/a", respond(200, {}, std::string(1001, 'x')));
  CallOptions options;
  options.max_body_bytes = 1000;
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a")), options); }).kind(), Kind::corrupt);
}

TEST_F(ClientTest, a_head_over_64_KiB_is_corrupt) {
  server_.on(
      "/a",
      respond(200, {{"X-Long", std::string(40'000, 'a')}, {"X-Longer", std::string(40'000, 'b')}}, "x"));
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a"))); }).kind(), Kind::corrupt);
}

TEST_F(ClientTest, a_body_after_a_head_that_has_no_end_is_lost) {
  server_.on("/a", script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\rX\nhello"));
  CallOptions once;
  once.max_attempts = 1;
  EXPECT_EQ(error_of([&] { client_.open(get(server_.url("/a")), once); }).facts().code, "short_head");
  EXPECT_EQ(error_of([&] { client_.send(get(server_.url("/a")), once); }).facts().code, "short_head");
}

TEST_F(ClientTest, interim_answers_and_trailers_are_not_the_head) {
  server_.on("/a", script().bytes("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n"));
  const Response answer = client_.send(get(server_.url("/a")));
  EXPECT_EQ(answer.body, "hello");
  EXPECT_FALSE(answer.headers.has("x-early"));
  EXPECT_FALSE(answer.headers.has("x-late"));
}

TEST_F(ClientTest, a_body_with_no_frame_says_so) {
  server_.on("/a", script().bytes("HTTP/1.1 200 OK\r\n\r\nto the end").close());
  const auto body = client_.open(get(server_.url("/a")));
  EXPECT_FALSE(body->framed());
  EXPECT_EQ(body->remaining(), std::nullopt);
  EXPECT_EQ(read_all(*body), "to the end");
}

TEST_F(ClientTest, a_header_that_would_split_the_request_is_refused_before_any_io) {
  const Request bad = get(server_.url("/a"), {{"X-A", "1\r\nX-B: 2"}});
  EXPECT_EQ(error_of([&] { client_.send(bad); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([&] { client_.open(bad); }).kind(), Kind::refused);
  EXPECT_EQ(server_.connections(), 0);
}

TEST_F(ClientTest, a_body_left_early_drops_its_connection) {
  server_.on("/big", script().serve({.size = 64 << 20}));
  {
    const auto body = client_.open(get(server_.url("/big")));
  }
  EXPECT_TRUE(server_.wait_until([](const ScriptedServer& s) { return s.open_connections() == 0; }));
}

TEST_F(ClientTest, hundreds_of_exchanges_share_the_connections_of_a_host) {
  server_.on("/a", respond(200, {}, "hello"));
  std::atomic<int> left{500};
  std::promise<void> all;
  for (int i = 0; i < 500; ++i) {
    client_.submit(get(server_.url("/a")), {}, [&](Outcome outcome) {
      EXPECT_TRUE(std::holds_alternative<Response>(outcome));
      if (--left == 0) all.set_value();
    });
  }
  all.get_future().wait();
  EXPECT_LE(server_.connections(), 16);
}

}  // namespace
}  // namespace penstock::http
