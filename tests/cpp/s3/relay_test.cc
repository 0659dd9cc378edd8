#include "penstock/s3/relay.h"

#include <atomic>
#include <fstream>

#include "penstock/disk/file_source.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/stages.h"

#include "s3/relay_fixture.h"
#include "support/temporary_folder.h"
#include "support/unsized.h"

namespace penstock::s3 {
namespace {

using test::Resource;

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

TEST_F(RelayTest, PartsAreAsTheStoreHasThemIfThatIsMore) {
  Config config = bucket.config(http);
  config.part_bytes = 34_MiB;
  Capabilities row = provider_row("minio");
  row.min_part_bytes = 33_MiB;
  config.row = std::make_shared<const Capabilities>(row);
  const std::string content(35_MiB, 'x');
  store::WriteOptions options;
  options.relay = true;
  MemorySource source{as_bytes(content)};
  EXPECT_EQ(S3Store{config}.put("k", source, options).mode, "relay");
  const auto parts = bucket.asked("UploadPart");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].request.body_bytes, 34_MiB);
}

TEST_F(RelayTest, ALengthThatTheSourceKnowsNeedsNotBeSaid) {
  origin.on("/a", script().serve({.size = kSize}));
  const auto body = open();
  expect_whole(store().put("k", *body, relayed(std::nullopt)));
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
      if (!between || !is_part(exchange) || failed.exchange(true)) return;
      exchange.read_body(100'000);
      exchange.reset();
    };
    const Error error = error_of([&] { put(); });
    EXPECT_EQ(error.kind(), Kind::conflict) << error.what();
    EXPECT_EQ(error.facts().code, code::kChanged);
    EXPECT_EQ(error.facts().side, Side::source);
    EXPECT_FALSE(error.facts().upload_id.empty());
    expect_nothing_left();
  }
}

TEST_F(RelayTest, AFileThatChangedBetweenTwoTriesEndsTheUpload) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  std::ofstream{path} << test::pattern(0, 6_MiB);
  std::atomic<bool> failed = false;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange) || failed.exchange(true)) return;
    exchange.read_body(100'000);
    std::ofstream{path} << "another";
    exchange.reset();
  };
  disk::FileSource source{path};
  const Error error = error_of([&] { store().put("k", source, relayed(std::nullopt)); });
  EXPECT_EQ(error.facts().side, Side::source) << error.what();
  EXPECT_TRUE(error.kind() == Kind::conflict || error.kind() == Kind::corrupt) << error.what();
  expect_nothing_left();
}

TEST_F(RelayTest, ASourceThatIsShorterOrLongerThanAnnouncedLeavesNothing) {
  const std::string content = test::pattern(0, 6_MiB);
  for (const std::uint64_t announced : {content.size() - 1, content.size() + 1}) {
    MemorySource source{as_bytes(content)};
    const Error error = error_of([&] { store().put("k", source, relayed(announced)); });
    EXPECT_EQ(error.kind(), Kind::corrupt);
    EXPECT_EQ(error.facts().side, Side::source);
    EXPECT_EQ(error.facts().expected, std::to_string(announced));
    expect_nothing_left();
  }
}

// Fails without saying which side it is of, once asked for the byte at `at` or to go back.
class Failing : public MemorySource {
 public:
  Failing(Bytes bytes, std::uint64_t at, bool at_rewind)
      : MemorySource(bytes), left_(at), at_rewind_(at_rewind) {}
  std::size_t read(MutableBytes buffer) override {
    if (left_ == 0 && !at_rewind_) throw Error{Kind::lost, "gone"};
    const std::size_t got = MemorySource::read(buffer.first(std::min<std::uint64_t>(buffer.size(), left_)));
    left_ -= at_rewind_ ? 0 : got;
    return got;
  }
  void rewind() override {
    if (at_rewind_) throw Error{Kind::lost, "gone"};
    MemorySource::rewind();
  }

 private:
  std::uint64_t left_;
  bool at_rewind_;
};

TEST_F(RelayTest, WhatTheSourceThrowsIsTheSources) {
  const std::string content = test::pattern(0, 6_MiB);
  std::atomic<bool> failed = false;
  bucket.early = [&](test::Exchange& exchange) {
    if (!is_part(exchange) || failed.exchange(true)) return;
    exchange.read_body(100'000);
    exchange.reset();
  };
  Failing at_rewind{as_bytes(content), content.size(), true};
  Failing at_read{as_bytes(content), 6_MiB - 1, false};
  Failing at_end{as_bytes(content), 6_MiB, false};
  for (Failing* source : {&at_rewind, &at_read, &at_end}) {
    const Error error = error_of([&] { store().put("k", *source, relayed(content.size())); });
    EXPECT_EQ(error.message(), "gone");
    EXPECT_EQ(error.facts().side, Side::source);
    expect_nothing_left();
  }
}

TEST_F(RelayTest, AnObjectOfABucketIsRelayed) {
  const std::string content = test::pattern(0, kLeastRelayBytes + 1000);
  bucket.put("from", {content, content.size(), "\"strong\"", {{"Accept-Ranges", "bytes"}}});
  const auto from = store().get("from");
  EXPECT_EQ(store().put("k", *from, relayed(std::nullopt)).mode, "relay");
  EXPECT_EQ(bucket.objects().at("k").bytes, content.size());
}

// What the server says it assembled is compared though no checksum was declared.
TEST_F(RelayTest, AnObjectAssembledOfOtherBytesIsRemoved) {
  origin.on("/a", script().serve({.size = kSize}));
  bucket.afterwards = [](const Asked& asked, const test::Reply&) -> std::optional<test::Reply> {
    if (asked.verb != "CompleteMultipartUpload") return std::nullopt;
    return test::Reply{200,
                       {},
                       "<CompleteMultipartUploadResult><ETag>\"e\"</ETag>"
                       "<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></CompleteMultipartUploadResult>"};
  };
  EXPECT_EQ(error_of([&] { put(); }).kind(), Kind::corrupt);
  expect_nothing_left();
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

TEST_F(RelayTest, WhatCannotBeRelayedIsBufferedAndTheReceiptSaysWhy) {
  const std::string content = test::pattern(0, 6_MiB);
  const auto reason = [&](Source& source, std::optional<std::uint64_t> length) {
    return store().put("k", source, relayed(length)).mode_reason;
  };
  MemorySource inner{as_bytes(content)};
  MemorySink copy;
  Tee once{inner, copy};
  EXPECT_EQ(reason(once, content.size()), "the source cannot be read again");
  MemorySource whole{as_bytes(content)};
  test::Unsized unknown{whole};
  EXPECT_EQ(reason(unknown, std::nullopt), "the source has no length");
  EXPECT_EQ(bucket.asked("UploadPart").size(), 4u);
}

TEST_F(RelayTest, ABodyThatMayRepeatAsAnotherVersionIsBuffered) {
  const std::string length = "Content-Length: " + std::to_string(kSize) + "\r\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"Last-Modified: Sat, 01 Nov 2025 00:00:00 GMT\r\nDate: Sun, 02 Nov 2025 00:00:00 GMT\r\n"
       "Accept-Ranges: bytes\r\n",
       "the source has no strong ETag"},
      {"ETag: \"strong\"\r\n", "the source offers no ranges"}};
  for (const auto& [fields, reason] : cases) {
    origin.on("/a", script().bytes("HTTP/1.1 200 OK\r\n" + length + fields + "\r\n").pattern(0, kSize));
    const Receipt receipt = put();
    EXPECT_EQ(receipt.mode, "multipart");
    EXPECT_EQ(receipt.mode_reason, reason);
  }
}

TEST_F(RelayTest, WhatIsWrittenOrInMemoryIsNotRelayedAndTheReceiptSaysSo) {
  const std::string content = test::pattern(0, 6_MiB);
  EXPECT_EQ(store().put("k", as_bytes(content), relayed(std::nullopt)).mode_reason, "the data is in memory");
  const auto writer = store().open_writer("k", relayed(std::nullopt));
  writer->write(as_bytes(content));
  EXPECT_EQ(writer->finish().mode_reason, "written in pieces");
}

TEST_F(RelayTest, AChecksumAskedForByNameIsNotLeftOut) {
  Config config = bucket.config(http);
  config.checksum = "crc64nvme";
  const std::string content = test::pattern(0, 6_MiB);
  MemorySource source{as_bytes(content)};
  const Receipt receipt = S3Store{config}.put("k", source, relayed(std::nullopt));
  EXPECT_EQ(receipt.mode_reason, "the checksum asked for is known only after each part");
  EXPECT_TRUE(bucket.asked("UploadPart").at(0).request.headers.has("x-amz-checksum-crc64nvme"));
}

TEST_F(RelayTest, AConditionThatHoldsOnOneRequestOnlyKeepsItOne) {
  const std::string content = test::pattern(0, 1_MiB);
  MemorySource source{as_bytes(content)};
  store::WriteOptions options = relayed(content.size());
  options.mode = store::Mode::create();
  const Receipt receipt = store("r2").put("k", source, options);
  EXPECT_EQ(receipt.mode, "put");
  EXPECT_EQ(receipt.mode_reason, "the provider takes a condition on one request only");
}

TEST_F(RelayTest, AConditionThatFailsIsAConflictAndLeavesNothing) {
  bucket.put("k", {"there", 5, "\"there\"", {}});
  const std::string content = test::pattern(0, 6_MiB);
  for (const store::Mode& mode : {store::Mode::create(), store::Mode::if_match("\"another\"")}) {
    MemorySource source{as_bytes(content)};
    store::WriteOptions options = relayed();
    options.length = content.size();
    options.mode = mode;
    EXPECT_EQ(error_of([&] { store().put("k", source, options); }).kind(), Kind::conflict);
    drain();
    EXPECT_TRUE(bucket.uploads().empty());
  }
  EXPECT_EQ(bucket.objects().at("k").bytes, 5u);
}

// Neither of two writers won: what is buffered is written again, what was relayed is not.
TEST_F(RelayTest, ADrawIsPlayedAgainWhereNothingWasRelayed) {
  const std::string content = test::pattern(0, 6_MiB);
  int draws = 0;
  bucket.instead = [&](const Asked& asked) -> std::optional<test::Reply> {
    const bool publishes = asked.verb == "PutObject" || asked.verb == "CompleteMultipartUpload";
    if (!publishes || draws++ > 0) return std::nullopt;
    return test::Reply{409, {}, test::error_xml("ConditionalRequestConflict")};
  };
  for (const std::uint64_t size : {100'000ul, 6ul * 1024 * 1024}) {
    draws = 0;
    MemorySource source{as_bytes(content).first(size)};
    store::WriteOptions options = relayed(size);
    options.mode = store::Mode::create();
    const std::string key = "k" + std::to_string(size);
    if (size <= kLeastRelayBytes) {
      EXPECT_EQ(store().put(key, source, options).bytes, size);
    } else {
      EXPECT_EQ(error_of([&] { store().put(key, source, options); }).kind(), Kind::conflict);
    }
  }
}

TEST_F(RelayTest, WhereItGoesDecidesWhetherPartsMayGoUnsigned) {
  const std::string content(1_MiB, 'x');
  MemorySource source{as_bytes(content)};
  const auto obstacle = [&](const std::string& endpoint, const std::string& sign_payload) {
    Config config = bucket.config(http);
    config.endpoint = endpoint;
    config.sign_payload = sign_payload;
    return relay_obstacle(Client{config}, provider_row("minio"), relayed(content.size()), source);
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
