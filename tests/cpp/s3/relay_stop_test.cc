// A relayed upload that is stopped, or whose deadline passes, at any moment.
#include <functional>
#include <thread>

#include "s3/relay_fixture.h"

namespace penstock::s3 {
namespace {

using std::chrono::milliseconds;
using test::Gate;

enum class Moment { part_begins, inside_a_part, answer_awaited, before_the_next_try, source_silent };

// Brings an upload into its second part and there into a moment, at which it calls `reached`. What runs on
// the servers' threads may outlive the test, and refers to nothing of it.
class RelayStopTest : public RelayTest, public ::testing::WithParamInterface<Moment> {
 protected:
  using Reached = std::function<void()>;
  void bring_there(const Reached& reached) {
    origin.on("/a", script().serve({.size = kSize}));
    if (GetParam() == Moment::source_silent) return origin.on("/a", silent_after(kPart + 1000, reached));
    bucket.early = [moment = GetParam(), client = http, reached](test::Exchange& exchange) {
      if (exchange.request().target.find("partNumber=2") == std::string::npos) return;
      meet(moment, exchange, *client, reached);
    };
  }
  test::Script silent_after(std::uint64_t bytes, const Reached& reached) {
    return script()
        .bytes("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nAccept-Ranges: bytes\r\nContent-Length: " +
               std::to_string(kSize) + "\r\n\r\n")
        .pattern(0, bytes)
        .run([reached](test::Exchange&) { reached(); })
        .wait(silent);
  }
  static void meet(Moment moment, test::Exchange& exchange, http::Client& client, const Reached& reached) {
    if (moment == Moment::inside_a_part) exchange.read_body(1'000'000);
    if (moment == Moment::answer_awaited) exchange.read_body();
    if (moment == Moment::before_the_next_try) return refuse_for_now(exchange, client, reached);
    reached();
    exchange.stall();
  }
  static void refuse_for_now(test::Exchange& exchange, http::Client& client, const Reached& reached) {
    exchange.read_body();
    exchange.send("HTTP/1.1 503 Slow\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    while (client.statistics().retries_by_class["transient"] == 0) {
      if (exchange.stop().stop_requested()) return;
      std::this_thread::yield();
    }
    reached();
    exchange.close();
  }
  static void expect_at_once(SteadyTime since) {
    EXPECT_LE(std::chrono::steady_clock::now() - since, milliseconds{200});
  }

  Gate silent;
};

TEST_P(RelayStopTest, EndsItAtOnceAndLeavesNothing) {
  std::stop_source stop;
  std::atomic<SteadyTime::rep> asked_at = 0;
  bring_there([&asked_at, stop] {
    asked_at = std::chrono::steady_clock::now().time_since_epoch().count();
    stop.request_stop();
  });
  const Error error = error_of([&] { put({.stop = stop.get_token()}); });
  expect_at_once(SteadyTime{SteadyTime::duration{asked_at.load()}});
  EXPECT_EQ(error.kind(), Kind::cancelled) << error.what();
  silent.open();
  expect_nothing_left();
}

TEST_P(RelayStopTest, ADeadlineThatPassesDoesTheSame) {
  bring_there([] {});
  const Deadline deadline = Deadline::after(milliseconds{1500});
  const Error error = error_of([&] { put({.deadline = deadline}); });
  expect_at_once(*deadline.at());
  if (GetParam() == Moment::before_the_next_try) {
    EXPECT_EQ(error.kind(), Kind::busy) << "a wait beyond the deadline is not begun";
  } else {
    EXPECT_EQ(error.kind(), Kind::lost) << error.what();
    EXPECT_EQ(error.facts().code, code::kDeadline);
  }
  silent.open();
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(AtAnyMoment, RelayStopTest,
                         ::testing::Values(Moment::part_begins, Moment::inside_a_part, Moment::answer_awaited,
                                           Moment::before_the_next_try, Moment::source_silent));

}  // namespace
}  // namespace penstock::s3
