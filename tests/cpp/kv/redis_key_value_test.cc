#include "penstock/kv/redis_key_value.h"

#include <algorithm>
#include <latch>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "penstock/base/error.h"
#include "penstock/kv/socket.h"

#include "kv/scripted_redis.h"
#include "support/certificates.h"
#include "support/errors.h"
#include "support/redis_server.h"

namespace penstock::kv {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using test::error_of;
using Wire = ScriptedRedis::Wire;

RedisConfig at(std::uint16_t port) {
  return {.host = "127.0.0.1", .port = port};
}

// --- A real server ---

TEST(Redis, databases_are_separate) {
  test::RedisServer server;
  RedisConfig config = at(server.port());
  RedisKeyValue first{config};
  config.db = 5;
  RedisKeyValue fifth{config};
  first.put("k", "first");
  fifth.put("k", "fifth");
  EXPECT_EQ(first.get("k"), "first");
  fifth.clear();
  EXPECT_EQ(first.count(), 1U);
  config.db = 99;
  EXPECT_EQ(error_of([&] { RedisKeyValue{config}.get("k"); }).kind(), Kind::refused);
}

TEST(Redis, the_right_password_is_needed_and_never_told) {
  test::RedisServer server{{.password = "correct horse"}};
  RedisConfig config = at(server.port());
  const auto denied = [&](std::string password) {
    config.password = std::move(password);
    const Error error = error_of([&] { RedisKeyValue{config}.put("k", "v"); });
    EXPECT_EQ(error.kind(), Kind::denied) << error.what();
    EXPECT_TRUE(std::string_view{error.what()}.starts_with("Redis failed: ")) << error.what();
    EXPECT_EQ(error.message().find("battery"), std::string::npos) << error.what();
    return error.facts().code;
  };
  EXPECT_EQ(denied(""), "NOAUTH");
  EXPECT_EQ(denied("battery staple"), "WRONGPASS");
  config.password = "correct horse";
  RedisKeyValue store{config};
  store.put("k", "v");
  EXPECT_EQ(store.get("k"), "v");
  EXPECT_EQ(store.location().find("horse"), std::string::npos);
}

TEST(Redis, a_large_value_without_the_password_is_denied_too) {
  test::RedisServer server{{.password = "correct horse"}};
  RedisKeyValue store{at(server.port())};
  const Error error = error_of([&] { store.put("k", std::string(30 << 20, 'v')); });
  EXPECT_EQ(error.kind(), Kind::denied) << error.what();
}

TEST(Redis, a_password_where_none_is_asked_for_is_denied) {
  test::RedisServer server;
  RedisConfig config = at(server.port());
  config.password = "s3cr3t-of-mine";
  const Error error = error_of([&] { RedisKeyValue{config}.get("k"); });
  EXPECT_EQ(error.kind(), Kind::denied) << error.what();
}

TEST(Redis, a_key_of_another_type_is_refused_by_get_and_passed_over_by_range) {
  test::RedisServer server;
  RedisKeyValue store{at(server.port())};
  store.put("a", "1");
  store.put("c", "3");
  {
    // A list, made by the commands of the same protocol.
    const int raw = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(raw, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string_view push = "LPUSH b x\r\n";
    ASSERT_EQ(::send(raw, push.data(), push.size(), 0), static_cast<ssize_t>(push.size()));
    char answer[16];
    ASSERT_GT(::recv(raw, answer, sizeof answer, 0), 0);
    ::close(raw);
  }
  const Error error = error_of([&] { store.get("b"); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, "WRONGTYPE");
  const auto entries = store.range("", {.limit = 2});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].key + entries[1].key, "ac");
}

TEST(Redis, no_more_connections_than_allowed_and_the_others_wait) {
  test::RedisServer server;
  RedisConfig config = at(server.port());
  config.max_connections = 2;
  RedisKeyValue store{config};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 12; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) store.put(std::to_string(t), std::to_string(i));
    });
  threads.clear();
  EXPECT_EQ(store.count(), 12U);
}

TEST(Redis, idle_connections_that_a_restart_closed_are_replaced_unseen) {
  std::optional<test::RedisServer> server{std::in_place};
  RedisKeyValue store{at(server->port())};
  store.put("k", "v");
  server.reset();
  const Error gone = error_of([&] { store.get("k"); });
  EXPECT_EQ(gone.kind(), Kind::lost);
  EXPECT_NE(gone.message().find("Connection refused"), std::string::npos) << gone.what();
}

TEST(Redis, tls_verifies_the_server) {
  const test::CertificateAuthority authority;
  test::RedisServer server{{.password = "s3cr3t-of-mine", .certificate = authority.issue()}};
  const test::TextFile bundle{authority.pem()}, other{test::CertificateAuthority{}.pem()};
  RedisConfig config = at(server.port());
  config.password = "s3cr3t-of-mine";
  config.tls = true;
  config.ca_bundle = bundle.path();
  RedisKeyValue store{config};
  const std::string large(5'000'000, 'v');
  store.put("k", large);
  EXPECT_TRUE(store.get("k") == large);
  for (int i = 0; i < 50; ++i) store.put(std::to_string(i), "v");
  EXPECT_EQ(store.range("").size(), 51U);
  config.host = "localhost";
  EXPECT_TRUE(RedisKeyValue{config}.exists("k"));

  config.ca_bundle = other.path();
  const Error error = error_of([&] { RedisKeyValue{config}.get("k"); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, code::kTls);
  config.ca_bundle = "/no/such/file";
  EXPECT_EQ(error_of([&] { RedisKeyValue{config}.get("k"); }).facts().code, code::kTls);
}

TEST(Redis, a_certificate_for_another_host_is_refused) {
  const test::CertificateAuthority authority;
  const test::TextFile bundle{authority.pem()};
  test::RedisServer server{
      {.certificate = authority.issue({.names = {"other.example"}, .addresses = {"127.0.0.2"}})}};
  for (const char* host : {"127.0.0.1", "localhost"}) {
    RedisConfig config{.host = host, .port = server.port(), .tls = true, .ca_bundle = bundle.path()};
    EXPECT_EQ(error_of([&] { RedisKeyValue{config}.get("k"); }).facts().code, code::kTls) << host;
  }
}

TEST(Redis, tls_to_a_server_without_is_an_error_not_a_hang) {
  test::RedisServer server;
  RedisConfig config = at(server.port());
  config.tls = true;
  config.timeout = 2s;
  const Error error = error_of([&] { RedisKeyValue{config}.get("k"); });
  EXPECT_TRUE(error.kind() == Kind::refused || error.kind() == Kind::lost) << error.what();
}

TEST(Redis, a_server_that_stands_still_is_lost_after_the_timeout) {
  test::RedisServer server;
  RedisConfig config = at(server.port());
  config.timeout = 100ms;
  RedisKeyValue store{config};
  store.put("k", "v");
  ::kill(server.process(), SIGSTOP);
  const Error error = error_of([&] { store.get("k"); });
  ::kill(server.process(), SIGCONT);
  EXPECT_EQ(error.kind(), Kind::lost) << error.what();
  EXPECT_EQ(error.facts().code, code::kStalled);
  EXPECT_EQ(store.get("k"), "v");  // not the answer to the former question
}

// --- A scripted one ---

TEST(RedisFaults, nobody_there_is_lost_with_the_systems_words) {
  const Error error = error_of([&] { RedisKeyValue{at(1)}.get("k"); });
  EXPECT_EQ(error.kind(), Kind::lost);
  EXPECT_EQ(error.message(), "Redis failed: GET at 127.0.0.1:1: Connection refused");
  EXPECT_EQ(error.facts().subject, "redis://127.0.0.1:1/0");
}

TEST(RedisFaults, a_name_nobody_has_is_missing) {
  RedisConfig config;
  config.host = "no-such-host.invalid";
  const Error error = error_of([&] { RedisKeyValue{config}.get("k"); });
  EXPECT_TRUE(error.kind() == Kind::missing || error.kind() == Kind::lost) << error.what();
  EXPECT_NE(error.message().find("no-such-host.invalid"), std::string::npos);
}

TEST(RedisFaults, a_broken_connection_is_tried_once_more) {
  ScriptedRedis server({[](Wire& wire) {
                          wire.read();
                          wire.reset();
                        },
                        [](Wire& wire) { wire.answer("$1\r\nv\r\n"); }});
  EXPECT_EQ(RedisKeyValue{at(server.port())}.get("k"), "v");
  EXPECT_EQ(server.connections(), 2);
}

TEST(RedisFaults, one_closed_amid_an_answer_is_tried_once_more) {
  ScriptedRedis server(
      {[](Wire& wire) { wire.answer("$5\r\nha"); }, [](Wire& wire) { wire.answer("$1\r\nv\r\n"); }});
  EXPECT_EQ(RedisKeyValue{at(server.port())}.get("k"), "v");
}

TEST(RedisFaults, a_second_break_is_lost) {
  ScriptedRedis server({[](Wire& wire) {
    wire.read();
    wire.reset();
  }});
  const Error error = error_of([&] { RedisKeyValue{at(server.port())}.put("k", "v"); });
  EXPECT_EQ(error.kind(), Kind::lost) << error.what();
  EXPECT_EQ(error.facts().code, kClosed);
  EXPECT_EQ(error.facts().attempts, 2);
  EXPECT_EQ(server.connections(), 2);
}

TEST(RedisFaults, a_clear_is_not_repeated) {
  ScriptedRedis server({[](Wire& wire) {
    wire.read();
    wire.reset();
  }});
  EXPECT_EQ(error_of([&] { RedisKeyValue{at(server.port())}.clear(); }).kind(), Kind::lost);
  EXPECT_EQ(server.connections(), 1);
}

TEST(RedisFaults, an_error_reply_leaves_the_connection_usable) {
  ScriptedRedis server({[](Wire& wire) {
    wire.answer("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    wire.answer("$1\r\nv\r\n");
    wire.stall();
  }});
  RedisKeyValue store{at(server.port())};
  EXPECT_EQ(error_of([&] { store.put("k", "v"); }).kind(), Kind::busy);
  EXPECT_EQ(store.get("k"), "v");
  EXPECT_EQ(server.connections(), 1);
}

TEST(RedisFaults, error_replies_say_what_to_do_next) {
  const std::pair<const char*, Kind> kinds[] = {
      {"LOADING Redis is loading the dataset in memory", Kind::busy},
      {"BUSY Redis is busy running a script", Kind::busy},
      {"MISCONF Errors writing to the AOF file", Kind::busy},
      {"ERR max number of clients reached", Kind::busy},
      {"NOPERM this user has no permissions", Kind::denied},
      {"NOAUTH Authentication required.", Kind::denied},
      {"READONLY You can't write against a read only replica.", Kind::lost},
      {"MOVED 3999 127.0.0.1:6381", Kind::refused},
      {"ERR unknown command", Kind::refused},
      {"", Kind::refused},
  };
  for (const auto& [text, kind] : kinds) {
    ScriptedRedis server({[text = text](Wire& wire) {
      wire.answer("-" + std::string{text} + "\r\n");
      wire.stall();
    }});
    const Error error = error_of([&] { RedisKeyValue{at(server.port())}.put("k", "v"); });
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_EQ(error.facts().attempts, 1) << error.what();
  }
}

TEST(RedisFaults, a_password_that_the_server_echoes_is_not_told) {
  for (const std::string password : {"s3cr3t-of-mine", "tiny"}) {
    ScriptedRedis server({[&](Wire& wire) {
      wire.answer("-ERR unknown command `AUTH`, with args beginning with: `" + password + "`\r\n");
      wire.stall();
    }});
    RedisConfig config = at(server.port());
    config.password = password;
    const Error error = error_of([&] { RedisKeyValue{config}.get("k"); });
    EXPECT_EQ(error.kind(), Kind::denied);
    EXPECT_EQ(error.message().find(password), std::string::npos) << error.what();
  }
}

TEST(RedisFaults, what_is_no_answer_of_redis_is_corrupt_and_hangs_up) {
  for (const char* bytes :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", ":1\r\n", "*1\r\n$1\r\nv\r\n", "$1\r\nv\r\n$1\r\nw\r\n"}) {
    ScriptedRedis server({[bytes](Wire& wire) {
      wire.answer(bytes);
      wire.stall();
    }});
    const Error error = error_of([&] { RedisKeyValue{at(server.port())}.get("k"); });
    EXPECT_EQ(error.kind(), Kind::corrupt) << bytes << error.what();
  }
}

TEST(RedisFaults, a_scan_that_is_none_is_corrupt) {
  for (const char* bytes : {"*0\r\n", "*2\r\n$1\r\n0\r\n$1\r\nx\r\n", "*2\r\n$0\r\n\r\n*0\r\n", "$1\r\nv\r\n",
                            "*2\r\n$30\r\n000000000000000000000000000000\r\n*0\r\n"}) {
    ScriptedRedis server({[bytes](Wire& wire) {
      wire.answer(bytes);
      wire.stall();
    }});
    RedisKeyValue store{at(server.port())};
    EXPECT_EQ(error_of([&] { store.scan("*")->next(); }).kind(), Kind::corrupt) << bytes;
  }
}

TEST(RedisFaults, an_endless_value_is_refused_and_its_connection_dropped) {
  ScriptedRedis server({[](Wire& wire) {
    wire.answer("$9000000000\r\n");
    const std::string some(1 << 20, 'v');
    for (;;) wire.send(some);
  }});
  const Error error = error_of([&] { RedisKeyValue{at(server.port())}.get("k"); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

TEST(RedisFaults, what_came_unasked_is_never_taken_for_an_answer) {
  std::latch said{1};
  ScriptedRedis server({[&](Wire& wire) {
                          wire.answer("$1\r\na\r\n");
                          wire.send("$5\r\nwrong\r\n");
                          said.count_down();
                          wire.stall();
                        },
                        [](Wire& wire) { wire.answer("$5\r\nright\r\n"); }});
  RedisKeyValue store{at(server.port())};
  test::error_from([&] { store.get("k"); });  // both may come at once, which is an error of its own
  said.wait();
  EXPECT_EQ(store.get("k"), "right");
}

TEST(RedisFaults, a_stop_and_a_deadline_are_heard_while_the_server_is_silent) {
  ScriptedRedis server({[](Wire& wire) { wire.stall(); }});
  RedisKeyValue store{at(server.port())};
  std::stop_source stop;
  std::jthread stops{[&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  }};
  auto begin = steady_clock::now();
  EXPECT_EQ(error_of([&] { store.get("k", {.stop = stop.get_token()}); }).kind(), Kind::cancelled);
  EXPECT_LT(steady_clock::now() - begin, 5s);
  begin = steady_clock::now();
  const Error late = error_of([&] { store.get("k", {.deadline = Deadline::after(50ms)}); });
  EXPECT_EQ(late.facts().code, code::kDeadline) << late.what();
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

TEST(RedisFaults, a_stop_is_heard_while_waiting_for_a_connection) {
  ScriptedRedis server({[](Wire& wire) { wire.stall(); }});
  RedisConfig config = at(server.port());
  config.max_connections = 1;
  RedisKeyValue store{config};
  std::stop_source stop;
  std::jthread holds{[&] { test::error_from([&] { store.get("k", {.stop = stop.get_token()}); }); }};
  while (server.connections() == 0) std::this_thread::yield();
  const Error error = error_of([&] { store.get("k", {.deadline = Deadline::after(50ms)}); });
  EXPECT_EQ(error.facts().code, code::kDeadline);
  stop.request_stop();
}

TEST(RedisFaults, a_peer_that_stops_reading_a_large_value_stalls) {
  ScriptedRedis server({[](Wire& wire) { wire.stall(); }});
  RedisConfig config = at(server.port());
  config.timeout = 100ms;
  const Error error = error_of([&] { RedisKeyValue{config}.put("k", std::string(30 << 20, 'v')); });
  EXPECT_EQ(error.facts().code, code::kStalled) << error.what();
}

TEST(RedisFaults, what_it_says_before_it_hangs_up_on_a_large_value_is_told) {
  ScriptedRedis server({[](Wire& wire) { wire.send("-ERR Protocol error: invalid bulk length\r\n"); }});
  RedisKeyValue store{at(server.port())};
  const Error error = error_of([&] { store.put("k", std::string(30 << 20, 'v')); });
  EXPECT_EQ(error.kind(), Kind::refused) << error.what();
  EXPECT_EQ(error.facts().code, "ERR");
}

TEST(RedisFaults, a_config_that_cannot_be_is_refused) {
  const auto refused = [](auto&& change) {
    RedisConfig config;
    change(config);
    return error_of([&] { RedisKeyValue{config}; }).kind() == Kind::refused;
  };
  EXPECT_TRUE(refused([](RedisConfig& c) { c.host = ""; }));
  EXPECT_TRUE(refused([](RedisConfig& c) { c.port = 0; }));
  EXPECT_TRUE(refused([](RedisConfig& c) { c.db = -1; }));
  EXPECT_TRUE(refused([](RedisConfig& c) { c.timeout = 0ms; }));
  EXPECT_TRUE(refused([](RedisConfig& c) { c.max_connections = 0; }));
}

}  // namespace
}  // namespace penstock::kv
