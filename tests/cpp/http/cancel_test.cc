// A stop ends an exchange within 200 ms, in whatever state it is. Each test brings it into one, asks it to
// stop and measures how long the caller still waited; three times, of which the best is claimed, because a
// loaded machine only adds. What no machine adds is bounded too: half of the shortest clock that would have
// ended the state by itself.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/named_host.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPromised{200};
constexpr std::chrono::seconds kAtMost{5};
constexpr int kRounds = 3;

class CancelTest : public ::testing::Test {
 protected:
  // Runs `work` on a thread, waits until `there(round)`, stops it, and claims it is cancelled soon. Rounds
  // count from 1.
  template <typename Work, typename There>
  void stops(Work work, There there) {
    auto best = Clock::duration::max();
    for (int round = 1; round <= kRounds; ++round) {
      std::stop_source stop;
      CallOptions options;
      options.call.stop = stop.get_token();
      auto running = std::async(std::launch::async, [&] { return error_of([&] { work(options); }); });
      const auto patience = Clock::now() + kPatience;
      while (!there(round) && Clock::now() < patience) std::this_thread::sleep_for(milliseconds{1});
      const bool reached = there(round);
      const auto asked = Clock::now();
      stop.request_stop();
      const Error error = running.get();
      ASSERT_TRUE(reached) << "round " << round << ": the state was not reached, but " << error.message();
      const auto took = Clock::now() - asked;
      EXPECT_LT(took, kAtMost);
      EXPECT_EQ(error.kind(), Kind::cancelled) << error.message();
      best = std::min(best, took);
    }
    EXPECT_LT(best, kPromised);
  }

  int asked_for_a() const { return static_cast<int>(server_.requests("/a").size()); }

  ScriptedServer server_;
};

TEST_F(CancelTest, in_the_slot_queue) {
  ClientOptions options = quick();
  options.connections_per_host = 1;
  Client client(options);
  server_.on("/held", script().stall());
  client.submit(get(server_.url("/held")), {}, [](Outcome) {});
  ASSERT_TRUE(server_.wait_until([](const ScriptedServer& s) { return s.requests().size() == 1; }));
  stops([&](const CallOptions& call) { client.send(get(server_.url("/a")), call); },
        [&](int) { return client.statistics().hosts[server_.origin()].waiting == 1; });
}

TEST_F(CancelTest, in_name_resolution) {
  const NamedHost slow("slow.test", {});
  Client client(quick());
  stops([&](const CallOptions& call) { client.send(get("http://slow.test/"), call); },
        [&](int round) { return slow.lookups() >= round; });
}

TEST_F(CancelTest, in_connecting) {
  const UnansweringPort port;
  Client client(quick());
  stops([&](const CallOptions& call) { client.send(get(port.url()), call); },
        [&](int) {
          const auto hosts = client.statistics().hosts;
          return !hosts.empty() && hosts.begin()->second.open == 1;
        });
}

TEST_F(CancelTest, in_the_tls_handshake) {
  CertificateAuthority authority;
  ScriptedServer::Options tls;
  tls.certificate = authority.issue();
  Gate handshake;
  tls.handshake = handshake;
  ScriptedServer server(std::move(tls));
  Client client(quick());
  stops([&](const CallOptions& call) { client.send(get(server.url("/a")), call); },
        [&](int round) { return server.connections() == round; });
  handshake.open();
}

TEST_F(CancelTest, before_the_first_byte) {
  Client client(quick());
  server_.on("/a", script().read_body().stall());
  stops([&](const CallOptions& call) { client.send(get(server_.url("/a")), call); },
        [&](int round) { return asked_for_a() == round; });
}

TEST_F(CancelTest, in_the_body) {
  Client client(quick());
  server_.on("/a", script().bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").stall());
  std::atomic<int> reading{0};
  stops(
      [&](const CallOptions& call) {
        const auto body = client.open(get(server_.url("/a")), call);
        ++reading;
        read_all(*body);
      },
      [&](int round) { return reading == round; });
}

TEST_F(CancelTest, in_the_upload) {
  Client client(quick());
  server_.on("/a", script().stall());
  stops(
      [&](const CallOptions& call) { client.send(put(server_.url("/a"), std::string(64 << 20, 'x')), call); },
      [&](int round) { return asked_for_a() == round; });
}

TEST_F(CancelTest, in_backoff) {
  Client client(quick());
  server_.on("/a", respond(503, {{"Retry-After", "50"}}));
  stops([&](const CallOptions& call) { client.send(get(server_.url("/a")), call); },
        [&](int round) {
          return client.statistics().retries_by_class["transient"] == static_cast<std::uint64_t>(round);
        });
}

TEST_F(CancelTest, waiting_for_the_budget) {
  ClientOptions options = quick();
  options.budget = Budget::create(1_MiB);
  const auto all = options.budget->try_charge(1_MiB);
  ASSERT_TRUE(all);
  Client client(options);
  server_.on("/a", respond(200));
  std::atomic<int> opening{0};
  stops(
      [&](const CallOptions& call) {
        ++opening;
        client.open(get(server_.url("/a")), call);
      },
      [&](int round) { return opening == round; });
  EXPECT_EQ(server_.connections(), 0);
}

// Never ready: as a credential provider that hangs.
class HangingPolicy : public AttemptPolicy {
 public:
  void prepare(Request&, Ready ready) override {
    ready_ = std::move(ready);
    ++asked;
  }
  Verdict judge(const Attempt&) override { return Verdict::accept(); }
  // The answer holds the exchange, which holds this policy.
  void forget() { ready_ = nullptr; }
  std::atomic<int> asked{0};

 private:
  Ready ready_;
};

TEST_F(CancelTest, while_the_policy_prepares) {
  Client client(quick());
  const auto policy = std::make_shared<HangingPolicy>();
  stops(
      [&](CallOptions call) {
        call.policy = policy;
        client.send(get(server_.url("/a")), call);
      },
      [&](int round) { return policy->asked == round; });
  policy->forget();
}

TEST_F(CancelTest, a_stop_before_the_start_makes_no_contact) {
  Client client(quick());
  std::stop_source stop;
  stop.request_stop();
  CallOptions options;
  options.call.stop = stop.get_token();
  EXPECT_EQ(error_of([&] { client.send(get(server_.url("/a")), options); }).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { client.open(get(server_.url("/a")), options); }).kind(), Kind::cancelled);
}

}  // namespace
}  // namespace penstock::http
