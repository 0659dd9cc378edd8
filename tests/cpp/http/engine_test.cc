#include "penstock/http/engine.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/asking.h"
#include "support/certificates.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;

TEST(Engine, close_ends_what_is_under_way_and_refuses_what_comes) {
  ScriptedServer server;
  server.on("/a", script().stall());
  Client client(quick());
  std::promise<Outcome> ended;
  client.submit(get(server.url("/a")), {}, [&](Outcome outcome) { ended.set_value(std::move(outcome)); });
  ASSERT_TRUE(server.wait_until([](const ScriptedServer& s) { return s.requests("/a").size() == 1; }));
  client.close();
  EXPECT_EQ(std::get<Error>(ended.get_future().get()).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { client.send(get(server.url("/a"))); }).facts().code, "closed");
  EXPECT_EQ(error_of([&] { client.open(get(server.url("/a"))); }).facts().code, "closed");
}

// More rounds than the engine's last clearing of its box: what is still in it then ends too.
TEST(Engine, whatever_was_accepted_ends_though_it_came_at_the_very_close) {
  constexpr int kRounds = 300;
  ScriptedServer server;
  server.on("/a", script().stall());
  Client client(quick());
  std::atomic<int> ended{0};
  std::function<void(Outcome)> again = [&](Outcome outcome) {
    EXPECT_TRUE(std::holds_alternative<Error>(outcome));
    if (++ended < kRounds) client.submit(get(server.url("/a")), {}, again);
  };
  client.submit(get(server.url("/a")), {}, again);
  client.close();
  EXPECT_EQ(ended, kRounds);
}

TEST(Engine, close_waits_for_chores_and_for_what_they_ask_next) {
  ScriptedServer server;
  Gate gate;
  server.on("/chore", script().read_body().wait(gate).respond(200));
  server.on("/next", respond(200));
  std::atomic<bool> done{false};
  CallOptions chore;
  chore.chore = true;
  {
    Client client(quick());
    client.submit(get(server.url("/chore")), chore, [&](Outcome) {
      client.submit(get(server.url("/next")), chore,
                    [&](Outcome outcome) { done = std::holds_alternative<Response>(outcome); });
    });
    ASSERT_TRUE(gate.reached());
    std::thread opener([&] { gate.open(); });
    client.close();
    opener.join();
  }
  EXPECT_TRUE(done);
}

TEST(Engine, drain_waits_for_a_held_chore_or_says_it_is_late) {
  Client client(quick());
  auto held = client.chore();
  Call call;
  call.deadline = Deadline::after(std::chrono::milliseconds{50});
  EXPECT_EQ(error_of([&] { client.drain(call); }).facts().code, code::kDeadline);
  EXPECT_EQ(client.statistics().chores, 1);
  held.reset();
  client.drain();
  EXPECT_EQ(client.statistics().chores, 0);
}

TEST(Engine, a_client_may_die_in_its_own_callback) {
  ScriptedServer server;
  server.on("/a", respond(200));
  auto client = std::make_shared<Client>(quick());
  std::promise<void> gone;
  client->submit(get(server.url("/a")), {}, [&gone, client](Outcome) mutable {
    client.reset();
    gone.set_value();
  });
  client.reset();
  gone.get_future().wait();
}

std::atomic<bool> torn_down{false};

TEST(EngineDeathTest, the_exit_ends_a_client_that_only_its_own_work_holds) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto leave = [] {
    std::atexit([] { _exit(torn_down ? 0 : 1); });  // runs late, as OpenSSL's clean-up does
    struct Witness {
      Witness() = default;
      Witness(const Witness&) = delete;
      Witness& operator=(const Witness&) = delete;
      ~Witness() { torn_down = true; }
    };
    auto client = std::make_shared<Client>(quick());
    Client& known = *client;  // held by its own timer alone, it dies on its own thread
    known.post_after(std::chrono::hours{1},
                     [held = std::move(client), witness = std::make_shared<Witness>()] {});
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): what is tested
  };
  EXPECT_EXIT(leave(), testing::ExitedWithCode(0), "");
}

TEST(Engine, posted_jobs_run_on_one_thread_in_order) {
  Client client(quick());
  std::promise<std::string> all;
  std::string order;
  client.post_after(std::chrono::milliseconds{20}, [&] { all.set_value(order); });
  for (const char name : {'a', 'b', 'c'}) client.post([&order, name] { order += name; });
  EXPECT_EQ(all.get_future().get(), "abc");
}

// The child reports by its exit status; gtest's own state stays in the parent.
int in_child(const std::function<bool()>& holds) {
  const pid_t child = fork();
  if (child == 0) _exit(holds() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Fork, the_child_gets_a_fresh_client_and_the_parent_keeps_its_own) {
  ScriptedServer server;
  server.on("/a", respond(200, {}, "hello"));
  Client client(quick());
  client.send(get(server.url("/a")));
  EXPECT_EQ(in_child([&] { return client.send(get(server.url("/a"))).body == "hello"; }), 0);
  EXPECT_EQ(client.send(get(server.url("/a"))).body, "hello");
  EXPECT_EQ(server.connections(), 2) << "the parent's connection served the parent only";
}

// The number of a socket that was never connected is another file's by the time of the fork.
TEST(Fork, the_child_closes_no_file_that_is_not_the_clients) {
  const UnansweringPort port;
  ClientOptions options = quick();
  options.connect = std::chrono::milliseconds{100};
  options.max_attempts = 1;
  Client client(options);
  std::vector<int> ours;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(error_of([&] { client.send(get(port.url())); }).facts().code, "connect_timeout");
    ours.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  EXPECT_EQ(client.statistics().hosts.begin()->second.open, 0);
  EXPECT_EQ(in_child([&] {
              client.statistics();
              return std::all_of(ours.begin(), ours.end(), [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; });
            }),
            0);
  for (const int fd : ours) ::close(fd);
}

TEST(Fork, an_inherited_body_is_a_logic_error_in_the_child_and_whole_in_the_parent) {
  ScriptedServer server;
  constexpr std::uint64_t kBody = 4 << 20;
  server.on("/a", script().serve({.size = kBody}));
  server.on("/b", respond(200));
  Client client(quick());
  auto body = client.open(get(server.url("/a")));
  EXPECT_EQ(in_child([&] {
              client.send(get(server.url("/b")));
              try {
                std::vector<std::byte> buffer(10);
                body->read(buffer);
              } catch (const std::logic_error&) {
                body.reset();
                return true;
              }
              return false;
            }),
            0);
  EXPECT_TRUE(read_all(*body) == pattern(0, kBody));
}

class TlsTest : public ::testing::Test {
 protected:
  CertificateAuthority authority_;
  TextFile ca_{authority_.pem()};

  Error refused_by(const Certificate& certificate, std::string host = "127.0.0.1") {
    ScriptedServer::Options options;
    options.certificate = certificate;
    ScriptedServer server(std::move(options));
    Client client(trusting());
    Error error = error_of([&] { client.send(get(server.url(host, "/a"))); });
    EXPECT_EQ(server.requests().size(), 0u);
    return error;
  }
  ClientOptions trusting() const {
    ClientOptions options = quick();
    options.ca_bundle = ca_.path();
    return options;
  }
};

TEST_F(TlsTest, a_certificate_of_a_trusted_authority_is_accepted) {
  ScriptedServer::Options options;
  options.certificate = authority_.issue();
  ScriptedServer server(std::move(options));
  server.on("/a", respond(200, {}, "private"));
  Client client(trusting());
  EXPECT_EQ(client.send(get(server.url("/a"))).body, "private");
}

TEST_F(TlsTest, a_bad_certificate_is_refused_at_the_first_try) {
  for (const Certificate& bad :
       {self_signed(), authority_.issue({.names = {"other.test"}, .addresses = {}}),
        authority_.issue({.valid_from = std::chrono::hours{-2}, .valid_until = std::chrono::hours{-1}})}) {
    const Error error = refused_by(bad);
    EXPECT_EQ(error.kind(), Kind::refused) << error.message();
    EXPECT_EQ(error.facts().code, code::kTls);
    EXPECT_EQ(error.facts().attempts, 1);
  }
}

// Answers whatever comes with plain text, once.
class PlainServer {
 public:
  PlainServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 1);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] {
      const int peer = accept(listener_, nullptr, nullptr);
      const std::string_view text = "HTTP/1.1 400 Bad Request\r\n\r\n";
      send(peer, text.data(), text.size(), MSG_NOSIGNAL);
      char rest[4096];
      while (recv(peer, rest, sizeof rest, 0) > 0) continue;
      ::close(peer);
    });
  }
  ~PlainServer() {
    thread_.join();
    ::close(listener_);
  }
  std::string port() const { return std::to_string(port_); }

 private:
  int listener_, port_ = 0;
  std::jthread thread_;
};

TEST_F(TlsTest, a_server_that_does_not_speak_tls_is_refused) {
  PlainServer server;
  Client client(trusting());
  const Error error = error_of([&] { client.send(get("https://127.0.0.1:" + server.port() + "/")); });
  EXPECT_EQ(error.facts().code, code::kTls) << error.message();
}

TEST_F(TlsTest, a_cut_in_the_handshake_is_tried_again) {
  ScriptedServer::Options options;
  options.certificate = authority_.issue();
  options.refuse = [](int connection) { return connection == 1; };
  ScriptedServer server(std::move(options));
  server.on("/a", respond(200, {}, "private"));
  Client client(trusting());
  EXPECT_EQ(client.send(get(server.url("/a"))).attempts, 2);
}

}  // namespace
}  // namespace penstock::http
