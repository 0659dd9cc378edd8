// Objects of unknown length: parts that grow, to the provider's last part, in bounded memory.
#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/stages.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::ScriptedBucket;

std::string sha256(std::string_view bytes) {
  Hasher hasher{Algorithm::sha256};
  hasher.update(as_bytes(bytes));
  return hasher.digest().hex();
}

struct Growth : ::testing::Test {
  ScriptedBucket bucket;
  std::shared_ptr<Budget> budget = Budget::create(16_MiB);
  std::shared_ptr<http::Client> http = test::quick_client({.budget = budget});
  test::TemporaryFolder scratch;

  S3Store store(std::uint64_t part_bytes, std::optional<std::string> spool_dir, Capabilities row) {
    Config config = bucket.config(http);
    config.part_bytes = part_bytes;
    config.spool_dir = std::move(spool_dir);
    config.row = std::make_shared<const Capabilities>(std::move(row));
    return S3Store{config};
  }
  static Receipt put(S3Store& store, std::string_view content) {
    MemorySource source{as_bytes(content)};
    const auto writer = store.open_writer("k");  // which is told no length
    writer->write_from(source);
    return writer->finish();
  }
  // Of each part, as it was acknowledged.
  std::vector<std::pair<std::uint64_t, std::string>> sent() const {
    std::map<int, std::pair<std::uint64_t, std::string>> by_number;
    for (const Asked& part : bucket.asked("UploadPart"))
      by_number[part.part] = {part.request.body_bytes, part.request.body_sha256};
    std::vector<std::pair<std::uint64_t, std::string>> parts;
    for (const auto& [number, part] : by_number) {
      EXPECT_EQ(number, static_cast<int>(parts.size()) + 1);
      parts.push_back(part);
    }
    return parts;
  }
  void expect_parts_of(std::string_view content, std::uint64_t part_bytes) const {
    const auto parts = sent();
    ASSERT_EQ(parts.size(), (content.size() + part_bytes - 1) / part_bytes);
    for (std::size_t index = 0; index < parts.size(); ++index) {
      const auto bytes = content.substr(index * part_bytes, part_bytes);
      EXPECT_EQ(parts[index].first, bytes.size());
      EXPECT_EQ(parts[index].second, sha256(bytes)) << "part " << index + 1;
    }
  }
};

// 7.8 TiB with parts of 8 MiB are 16,368,000 bytes with parts of 16 bytes.
TEST_F(Growth, TenThousandPartsReachAsFarAsThePlanSaysAndNoByteFurther) {
  Capabilities row = provider_row("minio");
  row.min_part_bytes = 1;
  S3Store tiny = store(16, "", row);
  constexpr std::uint64_t kReach = 16 * 1000 * 1023;
  const std::string content = test::random_bytes(kReach + 1);
  const Receipt receipt = put(tiny, std::string_view{content}.substr(0, kReach));
  EXPECT_EQ(receipt.bytes, kReach);
  EXPECT_EQ(bucket.objects().at("k").bytes, kReach);
  const auto parts = sent();
  ASSERT_EQ(parts.size(), 10'000u);
  std::uint64_t at = 0;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const std::uint64_t bytes = std::uint64_t{16} << (index / 1000);
    ASSERT_EQ(parts[index].first, bytes) << "part " << index + 1;
    ASSERT_EQ(parts[index].second, sha256(std::string_view{content}.substr(at, bytes)))
        << "part " << index + 1;
    at += bytes;
  }
  EXPECT_EQ(at, kReach);
  EXPECT_LE(budget->statistics().peak, budget->statistics().limit);

  const Error error = error_of([&] { put(tiny, content); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kTooLarge);
  EXPECT_NE(error.message().find("more than 10000 parts"), std::string::npos) << error.what();
  http->drain(Call{.deadline = Deadline::after(test::kPatience)});
  EXPECT_TRUE(bucket.uploads().empty());
}

TEST_F(Growth, APartLargerThanTheBudgetGoesThroughAFileAndIsSentAgainFromThere) {
  bucket.instead = [](const Asked& asked) -> std::optional<test::Reply> {
    if (asked.verb != "UploadPart" || asked.nth > 1) return std::nullopt;
    return test::Reply{503, {}, test::error_xml("SlowDown")};
  };
  S3Store spooling = store(20_MiB, scratch.path(), provider_row("minio"));
  const std::string content = test::random_bytes(49_MiB + 12'345);
  EXPECT_EQ(put(spooling, content).bytes, content.size());
  expect_parts_of(content, 20_MiB);
  EXPECT_LE(budget->statistics().peak, budget->statistics().limit);
  EXPECT_TRUE(scratch.names().empty()) << "the file has a name";
}

// However it comes: a page that was taken for bytes which then did not come is the part's next one.
TEST_F(Growth, APartThatSpillsMayBeWrittenInAnyPieces) {
  S3Store spooling = store(40_MiB, scratch.path(), provider_row("minio"));
  const std::string content = test::random_bytes(45_MiB + 1);
  for (const std::size_t piece : {1_MiB, 256_KiB, 300'001ul}) {
    bucket.forget_asked();
    const auto writer = spooling.open_writer("k");
    for (std::size_t at = 0; at < content.size(); at += piece) {
      MemorySource source{as_bytes(content).subspan(at, std::min(piece, content.size() - at))};
      if (at / piece % 2 == 0) {
        writer->write_from(source);
      } else {
        writer->write(as_bytes(content).subspan(at, std::min(piece, content.size() - at)));
      }
    }
    EXPECT_EQ(writer->finish().bytes, content.size());
    expect_parts_of(content, 40_MiB);
  }
}

TEST_F(Growth, ASourceThatBreaksBetweenTwoPagesCanBeGoneOnWith) {
  S3Store spooling = store(40_MiB, scratch.path(), provider_row("minio"));
  const std::string content = test::random_bytes(41_MiB);
  MemorySource whole{as_bytes(content)};
  SlowSource source{whole, 256_KiB};
  const auto writer = spooling.open_writer("k");
  for (const std::uint64_t at : {20_MiB, 25_MiB, 30_MiB}) {
    source.break_at(at, Error{Kind::lost, "broken"});
    EXPECT_EQ(error_of([&] { writer->write_from(source); }).message(), "broken");
  }
  writer->write_from(source);
  EXPECT_EQ(writer->finish().bytes, content.size());
  expect_parts_of(content, 40_MiB);
}

TEST_F(Growth, OneWriteMayDoWithoutTheStoresFolder) {
  S3Store spooling = store(20_MiB, scratch.path() + "/none", provider_row("minio"));
  const std::string content = test::random_bytes(41_MiB);
  store::WriteOptions options;
  options.spool_dir.emplace(std::nullopt);
  MemorySource source{as_bytes(content)};
  const auto writer = spooling.open_writer("k", options);
  writer->write_from(source);
  EXPECT_EQ(writer->finish().bytes, content.size());
}

TEST_F(Growth, EqualPartsLargerThanTheBudgetAreEqual) {
  Capabilities row = provider_row("r2");
  S3Store equal = store(24_MiB, scratch.path(), row);
  const std::string content = test::random_bytes(50_MiB);
  EXPECT_EQ(put(equal, content).bytes, content.size());
  const auto parts = sent();
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[1].first, 24_MiB);
  EXPECT_EQ(parts[2].second, sha256(std::string_view{content}.substr(48_MiB)));
}

TEST_F(Growth, WithoutAFolderPartsStopGrowingAndTheErrorNamesTheLimit) {
  Capabilities row = provider_row("minio");
  row.max_parts = 2;
  S3Store held = store(20_MiB, std::nullopt, row);
  const std::string content = test::random_bytes(50_MiB);
  const Error error = error_of([&] { put(held, content); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_NE(error.message().find("the Budget of 16 MiB"), std::string::npos) << error.what();
  EXPECT_NE(error.message().find("spool_dir"), std::string::npos) << error.what();
  const auto parts = sent();
  ASSERT_FALSE(parts.empty());
  for (const auto& [bytes, digest] : parts) {
    EXPECT_LE(bytes, 16_MiB);
    EXPECT_GT(bytes, 8_MiB);
  }
  EXPECT_LE(budget->statistics().peak, budget->statistics().limit);
}

TEST_F(Growth, AFolderThatIsNotThereIsAnErrorOfTheSinkAndLeavesNothing) {
  S3Store lost = store(40_MiB, scratch.path() + "/none", provider_row("minio"));
  const std::string content = test::random_bytes(50_MiB);
  const Error error = error_of([&] { put(lost, content); });
  EXPECT_EQ(error.kind(), Kind::missing);
  EXPECT_EQ(error.facts().side, Side::sink);
  http->drain(Call{.deadline = Deadline::after(test::kPatience)});
  EXPECT_TRUE(bucket.uploads().empty());
}

}  // namespace
}  // namespace penstock::s3
