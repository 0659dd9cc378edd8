// The clocks of an exchange: connect, first byte, stall, deadline, slot. Short spans, and claims about which
// clock ended it, never about how fast.
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/base/wait.h"

#include "http/asking.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;
using std::chrono::milliseconds;

ClientOptions once() {
  ClientOptions options = quick();
  options.max_attempts = 1;
  return options;
}

TEST(Clocks, no_answer_in_time_is_a_first_byte_timeout) {
  ScriptedServer server;
  server.on("/a", script().read_body().stall());
  ClientOptions options = once();
  options.first_byte = milliseconds{100};
  Client client(options);
  EXPECT_EQ(error_of([&] { client.send(get(server.url("/a"))); }).facts().code, "first_byte_timeout");
  EXPECT_EQ(error_of([&] { client.send(put(server.url("/a"), "sent")); }).facts().code, "first_byte_timeout");
}

TEST(Clocks, a_body_that_stops_coming_is_stalled) {
  ScriptedServer server;
  server.on("/a", script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").stall());
  ClientOptions options = once();
  options.stall_window = milliseconds{200};
  Client client(options);
  EXPECT_EQ(error_of([&] { client.send(get(server.url("/a"))); }).facts().code, code::kStalled);
}

TEST(Clocks, an_upload_nobody_takes_is_stalled) {
  ScriptedServer server;
  server.on("/a", script().stall());
  ClientOptions options = once();
  options.stall_window = milliseconds{200};
  Client client(options);
  const Error error = error_of([&] { client.send(put(server.url("/a"), std::string(64 << 20, 'x'))); });
  EXPECT_EQ(error.facts().code, code::kStalled);
}

TEST(Clocks, a_body_nobody_reads_is_never_stalled) {
  ScriptedServer server;
  constexpr std::uint64_t kSize = 4 << 20;
  server.on("/a", script().serve({.size = kSize}));
  ClientOptions options = once();
  options.stall_window = milliseconds{100};
  options.stall_bytes_per_second = 1 << 20;
  Client client(options);
  const auto body = client.open(get(server.url("/a")));
  base::sleep(milliseconds{600}, Call{}, "not reading");  // six windows
  EXPECT_TRUE(read_all(*body) == pattern(0, kSize));
}

TEST(Clocks, a_deadline_covers_the_tries_and_the_waits) {
  ScriptedServer server;
  server.on("/a", script().read_body().stall());
  Client client(quick());
  CallOptions options;
  options.call.deadline = Deadline::after(milliseconds{150});
  const Error error = error_of([&] { client.send(get(server.url("/a")), options); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.facts().code, code::kDeadline);
}

TEST(Clocks, a_full_host_is_busy_once_the_slot_wait_is_over) {
  ScriptedServer server;
  server.on("/a", script().stall());
  ClientOptions options = once();
  options.connections_per_host = 1;
  options.slot_wait = milliseconds{100};
  Client client(options);
  client.submit(get(server.url("/a")), {}, [](Outcome) {});
  ASSERT_TRUE(server.wait_until([](const ScriptedServer& s) { return s.requests("/a").size() == 1; }));
  const Error error = error_of([&] { client.send(get(server.url("/b"))); });
  EXPECT_EQ(error.kind(), Kind::busy);
  EXPECT_EQ(error.facts().code, "slot_wait");
}

TEST(Clocks, an_idle_connection_is_shut_when_its_time_is_over) {
  ScriptedServer server;
  server.on("/a", respond(200, {{"Keep-Alive", "timeout=3"}}));
  server.on("/b", respond(200));
  ClientOptions options = quick();
  options.idle_connection = milliseconds{50};
  Client client(options);
  client.send(get(server.url("/b")));
  EXPECT_TRUE(server.wait_until([](const ScriptedServer& s) { return s.open_connections() == 0; }));
  client.send(get(server.url("/a")));
  EXPECT_EQ(server.connections(), 2);
}

}  // namespace
}  // namespace penstock::http
