// Parts that are read and sent again, and what is known of them afterwards.
#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "penstock/s3/trailer.h"
#include "penstock/streams/memory.h"

#include "s3/relay_fixture.h"

namespace penstock::s3 {
namespace {

using test::error_xml;
using test::Gate;
using test::Reply;

// The body of an aws-chunked request, taken apart; the trailer's line stays at the end.
std::string unframed(std::string_view body) {
  std::string bytes;
  for (;;) {
    const std::size_t line = body.find("\r\n");
    const std::uint64_t size = std::stoull(std::string{body.substr(0, line)}, nullptr, 16);
    body.remove_prefix(line + 2);
    if (size == 0) return bytes + std::string{body};
    bytes += body.substr(0, size);
    EXPECT_EQ(body.substr(size, 2), "\r\n");
    body.remove_prefix(size + 2);
  }
}

TEST_F(RelayTest, WhereTrailersAreTakenAPartCarriesItsChecksumAfterItsLastByte) {
  S3Store trailing = this->trailing();
  for (const std::uint64_t size : {kLeastRelayBytes + 1, 5 * PartTrailer::kChunkBytes, 700'001ul}) {
    const std::string content = test::pattern(0, size);
    std::string seen;
    bucket.afterwards = [&](const Asked& asked, const Reply&) -> std::optional<Reply> {
      if (asked.verb == "UploadPart") seen = asked.request.body;
      return std::nullopt;
    };
    MemorySource source{as_bytes(content)};
    EXPECT_EQ(trailing.put("k", source, relayed(size)).mode, "relay");
    Hasher crc{Algorithm::crc64nvme};
    crc.update(as_bytes(content));
    const std::string trailer = "x-amz-checksum-crc64nvme:" + crc.digest().base64();
    EXPECT_TRUE(unframed(seen) == content + trailer + "\r\n\r\n") << size;
    const auto part = bucket.asked("UploadPart").back().request;
    EXPECT_EQ(part.headers.get("content-length"), std::to_string(seen.size()));
    EXPECT_EQ(part.headers.get("content-encoding"), "aws-chunked");
    EXPECT_EQ(part.headers.get("x-amz-decoded-content-length"), std::to_string(size));
    EXPECT_EQ(part.headers.get("x-amz-trailer"), "x-amz-checksum-crc64nvme");
    EXPECT_EQ(part.headers.get("x-amz-content-sha256"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  }
  const auto create = bucket.asked("CreateMultipartUpload").at(0).request;
  EXPECT_EQ(create.headers.get("x-amz-checksum-algorithm"), "CRC64NVME");
}

TEST_F(RelayTest, APartWithATrailerIsSentAgainWithTheSameTrailer) {
  const std::string content = test::pattern(0, 700'001);
  std::vector<std::string> seen;
  bucket.instead = [&](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart") return std::nullopt;
    seen.push_back(asked.request.body);
    if (asked.nth == 1) return Reply{503, {}, error_xml("SlowDown")};
    if (asked.nth == 2) return Reply{400, {}, error_xml("BadDigest")};
    if (asked.nth == 3) return Reply{.reset = true};
    return std::nullopt;
  };
  MemorySource source{as_bytes(content)};
  const Receipt receipt = trailing().put("k", source, relayed(std::nullopt));
  EXPECT_EQ(receipt.digests.at("crc64nvme"), hex_of(Algorithm::crc64nvme, content));
  ASSERT_EQ(seen.size(), 4u);
  for (const std::string& body : seen) EXPECT_TRUE(body == seen.front());
  EXPECT_TRUE(unframed(seen.front()).starts_with(content));
}

TEST_F(RelayTest, APartThatArrivesDamagedTwiceIsCorrupt) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart") return std::nullopt;
    return Reply{400, {}, error_xml("BadDigest")};
  };
  EXPECT_EQ(error_of([&] { put(); }).kind(), Kind::corrupt);
  EXPECT_EQ(bucket.asked("UploadPart").size(), 2u);
  expect_nothing_left();
}

TEST_F(RelayTest, APartWhoseAnswerHasAnotherChecksumIsSentOnceMoreThenCorrupt) {
  int lies = 1;
  bucket.afterwards = [&](const Asked& asked, const Reply&) -> std::optional<Reply> {
    if (asked.verb != "UploadPart" || lies-- <= 0) return std::nullopt;
    return Reply{200, {{"ETag", "\"e\""}, {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}};
  };
  const std::string content = test::pattern(0, 700'001);
  MemorySource once{as_bytes(content)};
  EXPECT_EQ(trailing().put("k", once, relayed(std::nullopt)).bytes, content.size());
  EXPECT_EQ(bucket.asked("UploadPart").size(), 2u);
  lies = 2;
  MemorySource twice{as_bytes(content)};
  EXPECT_EQ(error_of([&] { trailing().put("k2", twice, relayed(std::nullopt)); }).kind(), Kind::corrupt);
  drain();
  EXPECT_FALSE(bucket.objects().contains("k2"));
  EXPECT_TRUE(bucket.uploads().empty());
}

// libcurl may not repeat a body that is made while it is sent: the part is asked for again.
TEST_F(RelayTest, APartOnAPooledConnectionThatIsDeadIsSentAgain) {
  origin.on("/a", script().serve({.size = kSize}));
  std::atomic<int> dead = 0;
  bucket.early = [&](test::Exchange& exchange) {
    if (is_part(exchange) && dead++ == 0) exchange.reset();
  };
  expect_whole(put());
  EXPECT_EQ(dead, 4);
}

TEST_F(RelayTest, WhereTheFirstTrailerIsRefusedTheObjectIsSentAgainWithout) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (!asked.request.headers.has("x-amz-trailer")) return std::nullopt;
    return Reply{501, {}, "<Error><Code>NotImplemented</Code><Message>no trailer please</Message></Error>"};
  };
  S3Store aws = trailing();
  for (const int trailers : {1, 0}) {
    const std::size_t before = bucket.asked("UploadPart").size();
    const auto body = open();
    const Receipt receipt = aws.put("k", *body, relayed());
    EXPECT_EQ(receipt.mode, "relay");
    EXPECT_EQ(receipt.digests.at("crc64nvme"), hex_of(Algorithm::crc64nvme, test::pattern(0, kSize)));
    EXPECT_EQ(bucket.objects().at("k").bytes, kSize);
    EXPECT_EQ(bucket.asked("UploadPart").size() - before, 3u + static_cast<std::size_t>(trailers));
    drain();
    EXPECT_TRUE(bucket.uploads().empty());
  }
  EXPECT_EQ(http->statistics().uploads_open, 0);
}

TEST_F(RelayTest, APartThatFailsAnywhereIsReadAndSentAgain) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  for (const bool reset : {true, false}) {
    for (int round = 0; round < 4; ++round) {
      origin.on("/a", script().serve({.size = kSize}));
      const int failing = static_cast<int>(random() % 3) + 1;
      const std::uint64_t at = random() % (failing == 3 ? 1'000'003 : kPart);
      SCOPED_TRACE("part " + std::to_string(failing) + " at " + std::to_string(at));
      std::atomic<int> failures = 0;
      bucket.early = [&](test::Exchange& exchange) {
        const std::string number = "partNumber=" + std::to_string(failing);
        if (exchange.request().target.find(number) == std::string::npos || failures++ > 0) return;
        exchange.read_body(at);
        if (reset) return exchange.reset();
        exchange.send("HTTP/1.1 503 Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        exchange.close();
      };
      expect_whole(put());
      EXPECT_EQ(failures, 2);
    }
  }
}

TEST_F(RelayTest, APartRefusedAfterItsLastByteIsSentAgain) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart" || asked.nth > 2) return std::nullopt;
    return Reply{503, {}, error_xml("SlowDown")};
  };
  expect_whole(put());
  EXPECT_EQ(bucket.asked("UploadPart").size(), 5u);
  EXPECT_EQ(http->statistics().parts_retried, 2u);
}

TEST_F(RelayTest, APartThatIsDeniedLeavesNothing) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
    if (asked.verb != "UploadPart" || asked.part != 2) return std::nullopt;
    return Reply{403, {}, error_xml("AccessDenied")};
  };
  const Error error = error_of([&] { put(); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().side, Side::sink);
  EXPECT_EQ(error.facts().doing, "upload part 2");
  expect_nothing_left();
}

TEST_F(RelayTest, APartThatFailsForEverIsLostAfterItsAttempts) {
  origin.on("/a", script().serve({.size = kSize}));
  std::atomic<int> tries = 0;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange)) return;
    ++tries;
    exchange.read_body(100'000);
    exchange.reset();
  };
  EXPECT_EQ(error_of([&] { put(); }).kind(), Kind::lost);
  EXPECT_EQ(tries, 5);
  expect_nothing_left();
}

// What was acknowledged before it was sent is not there, whatever the answer says.
TEST_F(RelayTest, APartAcknowledgedBeforeItWasSentIsNotTaken) {
  origin.on("/a", script().serve({.size = kSize}));
  std::atomic<int> tries = 0;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange)) return;
    ++tries;
    exchange.read_body(100'000);
    exchange.send("HTTP/1.1 200 OK\r\nETag: \"early\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    exchange.close();
  };
  EXPECT_EQ(error_of([&] { put(); }).kind(), Kind::lost);
  EXPECT_EQ(tries, 5);
  expect_nothing_left();
}

TEST_F(RelayTest, APartAcknowledgedEarlyIsSentToItsEndAllTheSame) {
  origin.on("/a", script().serve({.size = kSize}));
  std::atomic<std::uint64_t> read = 0;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange)) return;
    exchange.read_body(100'000);
    exchange.send("HTTP/1.1 200 OK\r\nETag: \"early\"\r\nContent-Length: 0\r\n\r\n");
    exchange.read_body();
    read += exchange.request().body_bytes;
    exchange.close();
  };
  EXPECT_EQ(put().bytes, kSize);
  EXPECT_EQ(read, kSize);
}

struct SilentSourceTest : RelayTest {
  // Returns once the I/O thread has looked at the new time.
  void advance(ManualClock& clock, std::chrono::milliseconds by) {
    clock.advance(by);
    for (int turn = 0; turn < 2; ++turn) {
      std::promise<void> turned;
      http->post([&] { turned.set_value(); });
      turned.get_future().wait();
    }
  }
};

// S3 drops a request that is silent for 20 s; so we do before it does, and begin the part again.
TEST_F(SilentSourceTest, ASilentSourceDropsTheRequestAndThePartIsSentAgain) {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->wall());
  http = test::quick_client({.budget = budget, .clock = clock});
  Gate gate;
  const std::string head = "HTTP/1.1 200 OK\r\nETag: \"first\"\r\nAccept-Ranges: bytes\r\nContent-Length: " +
                           std::to_string(kSize) + "\r\n\r\n";
  origin.on("/a",
            {script().bytes(head).pattern(0, 1'000'000).wait(gate).pattern(1'000'000, kSize - 1'000'000),
             script().serve({.size = kSize})});
  std::atomic<bool> dropped = false;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange) || dropped) return;
    try {
      exchange.read_body();
    } catch (...) {
      dropped = true;  // hung up on
      throw;
    }
  };
  std::optional<Receipt> receipt;
  std::thread relaying{[&] { receipt = put(); }};
  EXPECT_TRUE(gate.reached());
  EXPECT_TRUE(
      bucket.server().wait_until([](const ScriptedServer& server) { return server.requests().size() >= 2; }));
  while (http->statistics().bytes_out < 1'000'000) advance(*clock, std::chrono::milliseconds{0});
  for (int second = 0; second < 14; ++second) advance(*clock, std::chrono::seconds{1});
  EXPECT_FALSE(dropped);
  EXPECT_EQ(http->statistics().retries_by_class["transient"], 0u);
  advance(*clock, std::chrono::seconds{2});
  EXPECT_TRUE(bucket.server().wait_until([&](const ScriptedServer&) { return dropped.load(); }));
  gate.open();
  std::jthread ticking{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) advance(*clock, std::chrono::milliseconds{10});
  }};
  relaying.join();
  ASSERT_TRUE(receipt);
  expect_whole(*receipt);
}

}  // namespace
}  // namespace penstock::s3
