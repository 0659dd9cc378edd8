#include "penstock/s3/relay.h"

#include <atomic>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/http/upload_stream.h"
#include "penstock/s3/s3_store.h"
#include "penstock/s3/trailer.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/stages.h"

#include "http/asking.h"
#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {
namespace {

using std::chrono::milliseconds;
using test::Asked;
using test::error_of;
using test::error_xml;
using test::Gate;
using test::Reply;
using test::Resource;
using test::script;
using test::ScriptedBucket;
using test::ScriptedServer;

constexpr std::uint64_t kPart = 5_MiB;
constexpr std::uint64_t kSize = 2 * kPart + 1'000'003;

std::string hex_of(Algorithm algorithm, std::string_view bytes) {
  Hasher hasher{algorithm};
  hasher.update(as_bytes(bytes));
  return hasher.digest().hex();
}

std::string part_sha256(int number) {
  const std::uint64_t from = static_cast<std::uint64_t>(number - 1) * kPart;
  return hex_of(Algorithm::sha256, test::pattern(from, std::min(kPart, kSize - from)));
}

bool is_part(const test::Exchange& exchange) {
  return exchange.request().target.find("partNumber=") != std::string::npos;
}

class RelayTest : public ::testing::Test {
 protected:
  S3Store& store(const std::string& provider = "minio") {
    if (!store_) store_.emplace(bucket.config(http, provider));
    return *store_;
  }
  static store::WriteOptions relayed(std::optional<std::uint64_t> length = kSize) {
    store::WriteOptions options{.length = length};
    options.part_bytes = kPart;
    options.relay = true;
    return options;
  }
  std::unique_ptr<http::Body> open(const Call& call = {}) {
    return http->open(test::get(origin.url("/a")),
                      {.call = call, .ring_bytes = 64_KiB, .receive_bytes = 32_KiB});
  }
  Receipt put(const Call& call = {}) {
    const auto body = open(call);
    return store().put("k", *body, relayed(), call);
  }
  void drain() { http->drain(Call{.deadline = Deadline::after(test::kPatience)}); }

  void expect_nothing_left() {
    drain();
    EXPECT_TRUE(bucket.objects().empty());
    EXPECT_TRUE(bucket.uploads().empty()) << "an upload was left open";
    EXPECT_EQ(http->statistics().uploads_open, 0);
    EXPECT_EQ(http->statistics().parts_in_flight, 0);
  }
  // The last body of each part that was read to its end, against the origin's bytes.
  void expect_whole(const Receipt& receipt) {
    EXPECT_EQ(receipt.mode, "relay") << receipt.mode_reason;
    EXPECT_EQ(receipt.bytes, kSize);
    EXPECT_EQ(receipt.digests.at("crc64nvme"), hex_of(Algorithm::crc64nvme, test::pattern(0, kSize)));
    EXPECT_EQ(bucket.objects().at("k").bytes, kSize);
    for (const Asked& part : bucket.asked("UploadPart"))
      EXPECT_EQ(part.request.body_sha256, part_sha256(part.part)) << part.part;
    EXPECT_TRUE(bucket.uploads().empty());
  }

  ScriptedServer origin;
  ScriptedBucket bucket;
  std::shared_ptr<Budget> budget = Budget::create(64_MiB);
  std::shared_ptr<http::Client> http = test::quick_client({.budget = budget});
  std::optional<S3Store> store_;
};

TEST_F(RelayTest, PartsGoStraightFromTheSourceAndNoneIsHeld) {
  origin.on("/a", script().serve({.size = kSize}));
  expect_whole(put());
  EXPECT_EQ(bucket.asked("UploadPart").size(), 3u);
  EXPECT_EQ(origin.requests().size(), 1u);
  EXPECT_LE(http->statistics().buffers_peak, 320_KiB);
  EXPECT_LE(budget->statistics().peak, 256_KiB);
  EXPECT_EQ(http->statistics().ring_bytes, 0u);
  EXPECT_EQ(http->statistics().buffers_used, 0u);
}

TEST_F(RelayTest, WithoutAnOptionPartsAre32MiB) {
  const std::string content(33_MiB, 'x');
  MemorySource large{as_bytes(content)};
  store::WriteOptions options{.length = content.size()};
  options.relay = true;
  EXPECT_EQ(store().put("k", large, options).mode, "relay");
  const auto parts = bucket.asked("UploadPart");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].request.body_bytes, 32_MiB);
}

TEST_F(RelayTest, OneByteOverASmallRequestIsAnUploadOfOnePart) {
  const std::string content(kLeastRelayBytes + 1, 'x');
  for (const std::size_t size : {content.size() - 1, content.size()}) {
    MemorySource source{as_bytes(content).first(size)};
    const Receipt receipt = store().put("k", source, relayed(size));
    const bool relays = size > kLeastRelayBytes;
    EXPECT_EQ(receipt.mode, relays ? "relay" : "put");
    EXPECT_EQ(receipt.mode_reason, relays ? "the source can be read again" : "fits one small request");
    EXPECT_EQ(bucket.asked("UploadPart").size(), relays ? 1u : 0u);
    EXPECT_EQ(bucket.objects().at("k").bytes, size);
  }
}

// Nothing can be said of a part before it is read: so it carries no checksum, and none was declared.
TEST_F(RelayTest, NoChecksumIsDeclared) {
  origin.on("/a", script().serve({.size = kSize}));
  put();
  EXPECT_FALSE(bucket.asked("CreateMultipartUpload").at(0).request.headers.has("x-amz-checksum-algorithm"));
  for (const Asked& part : bucket.asked("UploadPart")) {
    EXPECT_FALSE(part.request.headers.has("x-amz-checksum-crc64nvme"));
    EXPECT_EQ(part.request.headers.get("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  }
}

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
  Config config = bucket.config(http);
  Capabilities row = provider_row("minio");
  row.trailers = true;
  config.row = std::make_shared<const Capabilities>(row);
  S3Store trailing{config};
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

TEST_F(RelayTest, APartAcknowledgedBeforeItWasSentIsCorrupt) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange)) return;
    exchange.read_body(100'000);
    exchange.send("HTTP/1.1 200 OK\r\nETag: \"early\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    exchange.close();
  };
  const Error error = error_of([&] { put(); });
  EXPECT_TRUE(error.kind() == Kind::corrupt || error.kind() == Kind::lost) << error.what();
  expect_nothing_left();
}

TEST_F(RelayTest, ASourceThatBreaksInsideAPartGoesOnUnderTheOpenRequest) {
  origin.on("/a", script().serve({.size = kSize, .reset_after = 1'300'000}));
  const auto body = open();
  expect_whole(store().put("k", *body, relayed()));
  EXPECT_GE(body->resumes(), 8);
  EXPECT_EQ(bucket.asked("UploadPart").size(), 3u);
}

TEST_F(RelayTest, ASourceThatChangedEndsTheUpload) {
  for (const bool between : {true, false}) {
    // Once when a part is read again, once when the source breaks inside a part.
    Resource first{.size = kSize};
    if (!between) first.reset_after = kPart + 1'000'000;
    origin.on("/a", {script().serve(first), script().serve({.size = kSize, .etag = "\"second\""})});
    std::atomic<bool> failed = false;
    bucket.early = [&](test::Exchange& exchange) {
      if (between && is_part(exchange) && !failed.exchange(true)) exchange.reset();
    };
    const Error error = error_of([&] { put(); });
    EXPECT_EQ(error.kind(), Kind::conflict) << error.what();
    EXPECT_EQ(error.facts().code, code::kChanged);
    EXPECT_EQ(error.facts().side, Side::source);
    EXPECT_FALSE(error.facts().upload_id.empty());
    expect_nothing_left();
  }
}

TEST_F(RelayTest, ASourceThatIsShorterOrLongerThanAnnouncedLeavesNothing) {
  const std::string content = test::pattern(0, 6_MiB);
  for (const std::uint64_t announced : {content.size() - 1, content.size() + 1}) {
    MemorySource source{as_bytes(content)};
    EXPECT_EQ(error_of([&] { store().put("k", source, relayed(announced)); }).kind(), Kind::corrupt);
    expect_nothing_left();
  }
}

TEST_F(RelayTest, WhatWasExpectedIsComparedBeforeAnythingIsVisible) {
  const std::string right = hex_of(Algorithm::sha256, test::pattern(0, kSize));
  for (const std::string& expected : {std::string(64, '0'), right}) {
    // With a part sent twice, so that the digest stands on a state that was restored.
    origin.on("/a", script().serve({.size = kSize}));
    std::atomic<bool> failed = false;
    bucket.early = [&](test::Exchange& exchange) {
      if (!is_part(exchange) || failed.exchange(true)) return;
      exchange.read_body(3'000'000);
      exchange.reset();
    };
    store::WriteOptions options = relayed();
    options.expected = {Digest::parse(Algorithm::sha256, expected)};
    const auto body = open();
    if (expected == right) {
      EXPECT_EQ(store().put("k", *body, options).digests.at("sha256"), right);
    } else {
      EXPECT_EQ(error_of([&] { store().put("k", *body, options); }).kind(), Kind::corrupt);
      expect_nothing_left();
    }
  }
}

// S3 drops a request that is silent for 20 s; so we do before it does, and begin the part again.
TEST_F(RelayTest, ASilentSourceDropsTheRequestAndThePartIsSentAgain) {
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
  for (int second = 0; second < 14; ++second) {
    clock->advance(std::chrono::seconds{1});
    std::this_thread::sleep_for(milliseconds{20});  // the I/O thread looks every 10
  }
  EXPECT_FALSE(dropped);
  clock->advance(std::chrono::seconds{2});
  EXPECT_TRUE(bucket.server().wait_until([&](const ScriptedServer&) { return dropped.load(); }));
  gate.open();
  std::jthread ticking{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      clock->advance(milliseconds{10});
      std::this_thread::sleep_for(milliseconds{1});
    }
  }};
  relaying.join();
  ASSERT_TRUE(receipt);
  expect_whole(*receipt);
}

enum class Moment { part_begins, inside_a_part, answer_awaited, before_the_next_try, source_silent };

class RelayStopTest : public RelayTest, public ::testing::WithParamInterface<Moment> {};

// Each moment brings it into a state, asks it to stop, and measures.
TEST_P(RelayStopTest, EndsItAtOnceAndLeavesNothing) {
  const Moment moment = GetParam();
  std::stop_source stop;
  std::atomic<SteadyTime::rep> asked_at = 0;
  const auto ask = [&] {
    asked_at = std::chrono::steady_clock::now().time_since_epoch().count();
    stop.request_stop();
  };
  Gate silent;
  origin.on("/a", script().serve({.size = kSize}));
  if (moment == Moment::source_silent) {
    origin.on("/a", script()
                        .bytes("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: " + std::to_string(kSize) +
                               "\r\n\r\n")
                        .pattern(0, kPart + 1000)
                        .run([&](test::Exchange&) { ask(); })
                        .wait(silent));
  }
  bucket.early = [&](test::Exchange& exchange) {
    const bool second = exchange.request().target.find("partNumber=2") != std::string::npos;
    if (!second || moment == Moment::source_silent) return;
    if (moment == Moment::inside_a_part) exchange.read_body(1'000'000);
    if (moment == Moment::answer_awaited || moment == Moment::before_the_next_try) exchange.read_body();
    if (moment == Moment::before_the_next_try) {
      exchange.send("HTTP/1.1 503 Slow\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      std::this_thread::sleep_for(milliseconds{50});  // the answer is there by then, mostly
      ask();
      return exchange.close();
    }
    ask();
    exchange.stall();
  };
  const Error error = error_of([&] { put({.stop = stop.get_token()}); });
  const auto ended = std::chrono::steady_clock::now();
  EXPECT_LE(ended - SteadyTime{SteadyTime::duration{asked_at.load()}}, milliseconds{200});
  EXPECT_EQ(error.kind(), Kind::cancelled) << error.what();
  silent.open();
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(AtAnyMoment, RelayStopTest,
                         ::testing::Values(Moment::part_begins, Moment::inside_a_part, Moment::answer_awaited,
                                           Moment::before_the_next_try, Moment::source_silent));

TEST_F(RelayTest, WhatCannotBeRelayedIsBufferedAndTheReceiptSaysWhy) {
  const std::string content = test::pattern(0, 6_MiB);
  MemorySource source{as_bytes(content)};
  EXPECT_EQ(store().put("k", source, relayed(std::nullopt)).mode_reason, "the source has no length");
  MemorySource inner{as_bytes(content)};
  MemorySink copy;
  Tee once{inner, copy};
  EXPECT_EQ(store().put("k", once, relayed(content.size())).mode_reason, "the source cannot be read again");
  store::WriteOptions known = relayed(content.size());
  known.relay_obstacle = "the source has no strong ETag";
  MemorySource weak{as_bytes(content)};
  EXPECT_EQ(store().put("k", weak, known).mode_reason, "the source has no strong ETag");
  EXPECT_EQ(bucket.asked("UploadPart").size(), 6u);
}

TEST_F(RelayTest, WhereItGoesDecidesWhetherPartsMayGoUnsigned) {
  const std::string content(1_MiB, 'x');
  MemorySource source{as_bytes(content)};
  const auto obstacle = [&](const std::string& endpoint, const std::string& sign_payload) {
    Config config = bucket.config(http);
    config.endpoint = endpoint;
    config.sign_payload = sign_payload;
    return relay_obstacle(Client{config}, relayed(content.size()), source);
  };
  constexpr const char* kHashed = "plain http needs the hash of each part before it is sent";
  EXPECT_EQ(obstacle("http://s3.example.org", "auto"), kHashed);
  EXPECT_EQ(obstacle("https://s3.example.org", "auto"), "");
  EXPECT_EQ(obstacle("http://127.0.0.1:9", "auto"), "");
  EXPECT_EQ(obstacle("http://s3.example.org", "never"), "");
  EXPECT_EQ(obstacle("https://s3.example.org", "always"), "sign_payload hashes each part before it is sent");
}

}  // namespace
}  // namespace penstock::s3
