#include <atomic>

#include <gtest/gtest.h>

#include "penstock/files/fetch.h"
#include "penstock/s3/s3_store.h"

#include "files/fetching.h"
#include "s3/scripted_bucket.h"

namespace penstock::files {
namespace {

using test::Resource;
using test::script;
using test::ScriptedBucket;

constexpr std::uint64_t kSize = 9'000'001;

struct FetchRelay : ::testing::Test {
  test::ScriptedServer origin;
  ScriptedBucket bucket;
  std::shared_ptr<http::Client> web = test::quick_client();
  s3::S3Store store{bucket.config(web)};

  Receipt fetched(FetchOptions options = {}) {
    FileTask task{.url = origin.url("/a"), .key = "k", .digests = {Algorithm::sha256}};
    task.relay = true;
    return fetch(*web, task, store, options);
  }
  // What the admission of a relayed task of `size` bytes is asked for.
  std::uint64_t asks_for(store::ObjectStore& to, std::uint64_t size) {
    origin.on("/a", script().serve({.size = size}));
    FetchOptions options;
    std::uint64_t asked = 0;
    options.admit = [&](std::uint64_t bytes, const Call&) {
      asked = bytes;
      return nullptr;
    };
    FileTask task{.url = origin.url("/a"), .key = "k"};
    task.relay = true;
    fetch(*web, task, to, options);
    return asked;
  }
  static std::string sha256() { return Fetch::sha256(test::pattern(0, kSize)); }
  static std::string head(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }
};

TEST_F(FetchRelay, AnOriginThatCanBeReadAgainIsRelayed) {
  origin.on("/a", script().serve({.size = kSize}));
  const Receipt receipt = fetched();
  EXPECT_EQ(receipt.mode, "relay") << receipt.mode_reason;
  EXPECT_EQ(receipt.digests.at("sha256"), sha256());
  EXPECT_EQ(bucket.asked("UploadPart").at(0).request.body_sha256, sha256());
  EXPECT_LE(web->statistics().buffers_peak, 320_KiB);
}

TEST_F(FetchRelay, OthersAreBufferedAndTheReceiptSaysWhy) {
  const std::string length = "Content-Length: " + std::to_string(kSize) + "\r\n";
  const std::string ranges = "Accept-Ranges: bytes\r\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {length + ranges, "the source has no strong ETag"},
      {length + ranges + "ETag: W/\"weak\"\r\n", "the source has no strong ETag"},
      {length + "ETag: \"strong\"\r\n", "the source offers no ranges"},
      {length + "ETag: \"strong\"\r\nAccept-Ranges: none\r\n", "the source offers no ranges"}};
  for (const auto& [fields, reason] : cases) {
    origin.on("/a", script().bytes(head(fields)).pattern(0, kSize));
    const Receipt receipt = fetched();
    EXPECT_EQ(receipt.mode, "multipart");
    EXPECT_EQ(receipt.mode_reason, reason);
    EXPECT_EQ(receipt.digests.at("sha256"), sha256());
  }
  origin.on("/a",
            script()
                .bytes(head("ETag: \"strong\"\r\nTransfer-Encoding: chunked\r\n" + ranges) + "895441\r\n")
                .pattern(0, kSize)
                .bytes("\r\n0\r\n\r\n"));
  EXPECT_EQ(fetched().mode_reason, "the source has no length");
}

TEST_F(FetchRelay, AStoreWithoutPartsSaysSo) {
  origin.on("/a", script().serve({.size = 1000}));
  store::MemoryStore memory;
  FileTask task{.url = origin.url("/a"), .key = "k"};
  task.relay = true;
  EXPECT_EQ(fetch(*web, task, memory).mode_reason, "the store has no parts");
}

TEST_F(FetchRelay, AnOriginThatChangedIsFetchedFromItsFirstByteAgain) {
  origin.on("/a", {script().serve({.size = kSize, .reset_after = 2'000'000}),
                   script().serve({.size = kSize, .etag = "\"second\""})});
  const Receipt receipt = fetched();
  EXPECT_EQ(receipt.mode, "relay");
  EXPECT_EQ(receipt.restarts, 1);
  EXPECT_EQ(receipt.digests.at("sha256"), sha256());
  web->drain(Call{.deadline = Deadline::after(test::kPatience)});
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(FetchRelay, AnOriginThatChangedIsAConflictWhereNoRestartIsLeft) {
  origin.on("/a", {script().serve({.size = kSize, .reset_after = 2'000'000}),
                   script().serve({.size = kSize, .etag = "\"second\""})});
  FetchOptions options;
  options.max_restarts = 0;
  const Error error = test::error_of([&] { fetched(options); });
  EXPECT_EQ(error.kind(), Kind::conflict);
  EXPECT_EQ(error.facts().code, penstock::code::kChanged);
  web->drain(Call{.deadline = Deadline::after(test::kPatience)});
  EXPECT_TRUE(bucket.objects().empty());
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(FetchRelay, AWaitingTransferAsksForWhatItHoldsAndNotForParts) {
  EXPECT_EQ(asks_for(store, kSize), 320_KiB);
  EXPECT_EQ(asks_for(store, 1000), 1000u);
  store::MemoryStore memory;
  EXPECT_EQ(asks_for(memory, kSize), 8_MiB);
  EXPECT_EQ(asks_for(memory, 1000), 1000u);
  s3::Config config = bucket.config(web);
  config.sign_payload = "always";
  s3::S3Store signing{config};
  EXPECT_EQ(asks_for(signing, kSize), 8_MiB);
}

// An origin that says it has ranges and then sends the whole, asked for a part again.
TEST_F(FetchRelay, AnOriginThatCannotBeReadAgainAfterAllIsFetchedIntoBuffers) {
  constexpr std::uint64_t kTwoParts = 34'000'000;
  origin.on("/a", script().serve({.size = kTwoParts, .ranges = false}));
  std::atomic<bool> failed = false;
  bucket.early = [&](test::Exchange& exchange) {
    const bool second = exchange.request().target.find("partNumber=2") != std::string::npos;
    if (!second || failed.exchange(true)) return;
    exchange.read_body(100'000);  // before that libcurl itself turns to another connection
    exchange.reset();
  };
  const Receipt receipt = fetched();
  EXPECT_EQ(receipt.restarts, 1);
  EXPECT_EQ(receipt.mode, "multipart");
  EXPECT_EQ(receipt.mode_reason, "the source could not be read again");
  EXPECT_EQ(receipt.bytes, kTwoParts);
}

}  // namespace
}  // namespace penstock::files
