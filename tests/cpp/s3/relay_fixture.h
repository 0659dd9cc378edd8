// What the tests of relayed uploads share: an origin, a bucket, and what must hold of both afterwards.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "penstock/s3/relay.h"
#include "penstock/s3/s3_store.h"

#include "http/asking.h"
#include "s3/scripted_bucket.h"
#include "support/errors.h"

namespace penstock::s3 {

using test::Asked;
using test::error_of;
using test::script;
using test::ScriptedBucket;
using test::ScriptedServer;

inline constexpr std::uint64_t kPart = 5_MiB;
inline constexpr std::uint64_t kSize = 2 * kPart + 1'000'003;

inline std::string hex_of(Algorithm algorithm, std::string_view bytes) {
  Hasher hasher{algorithm};
  hasher.update(as_bytes(bytes));
  return hasher.digest().hex();
}

inline std::string part_sha256(int number) {
  const std::uint64_t from = static_cast<std::uint64_t>(number - 1) * kPart;
  return hex_of(Algorithm::sha256, test::pattern(from, std::min(kPart, kSize - from)));
}

inline bool is_part(const test::Exchange& exchange) {
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
  // A bucket that takes trailers, as AWS does.
  S3Store trailing() {
    Config config = bucket.config(http);
    Capabilities row = provider_row("minio");
    row.trailers = true;
    config.row = std::make_shared<const Capabilities>(row);
    return S3Store{config};
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

}  // namespace penstock::s3
