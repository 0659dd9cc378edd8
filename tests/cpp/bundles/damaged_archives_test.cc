// Archives cut anywhere and with flipped bits, into every storage: an error and nothing stored, or the same
// bytes.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/bundles/unzip_bundles.h"
#include "penstock/streams/memory.h"

#include "bundles/recording.h"
#include "bundles/storages.h"
#include "support/errors.h"
#include "support/gzip.h"
#include "support/random_bytes.h"
#include "support/seed.h"
#include "support/tar.h"
#include "support/zip.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::Descriptor;
using penstock::test::error_from;
using penstock::test::gzip;
using penstock::test::random_bytes;
using penstock::test::tar;
using penstock::test::zip;
using Files = std::map<std::string, std::string>;

struct Archive {
  std::string suffix, bytes;
  std::size_t magic_bits;  // one of these flipped, it is something else
};

std::vector<Archive> archives() {
  const std::string some = random_bytes(3000, 7), more = std::string(5000, 'x') + random_bytes(500, 8);
  return {{"x.csv.gz", gzip(more + some), 3 * 8},
          {"x.tar.gz", gzip(tar({{.name = "a", .body = some}, {.name = "b", .body = more}})), 3 * 8},
          {"x.zip",
           zip({{.name = "a", .body = some},
                {.name = "b", .body = more, .descriptor = Descriptor::signed_},
                {.name = "c", .body = "stored\n", .deflated = false}}),
           2 * 8}};
}

std::string flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

void expect_verdict(const Error& error) {
  EXPECT_TRUE(error.kind() == Kind::corrupt || error.kind() == Kind::refused) << error.what();
}

// What of an archive is stored, in memory; nullopt: nothing.
std::optional<Recorded> recorded_of(const Archive& archive, const std::string& bytes) {
  RecordingBundles storage;
  UnzipBundles unzip{storage};
  BundleRef ref{.bid = kBid};
  const auto bundle = unzip.start(ref, {});
  MemorySource body{as_bytes(bytes)};
  const auto error = error_from([&] { bundle->add({.url = "https://h/" + archive.suffix}, body); });
  if (!error) return storage.recorded;
  expect_verdict(*error);
  EXPECT_TRUE(storage.recorded.stored.empty());
  return std::nullopt;
}

TEST(DamagedArchives, cut_at_any_byte_are_an_error_and_nothing_is_stored) {
  for (const Archive& archive : archives()) {
    for (std::size_t cut = 0; cut < archive.bytes.size(); cut += cut < 4096 ? 1 : 37)
      EXPECT_FALSE(recorded_of(archive, archive.bytes.substr(0, cut))) << archive.suffix << cut;
  }
}

// A flipped bit of the first bytes may make it something else, which is stored as it is, and told of.
TEST(DamagedArchives, with_one_of_10000_bits_flipped_are_an_error_or_change_no_content) {
  std::mt19937 random{penstock::test::seed()};
  std::size_t errors = 0, mismatches = 0;
  constexpr int kFlips = 10'000;
  const auto all = archives();
  std::vector<Files> whole;
  for (const Archive& archive : all) whole.push_back(recorded_of(archive, archive.bytes)->by_url());
  for (int i = 0; i < kFlips; ++i) {
    const std::size_t which = random() % all.size(), bit = random() % (all[which].bytes.size() * 8);
    const std::string bad = flipped(all[which].bytes, bit);
    const auto recorded = recorded_of(all[which], bad);
    errors += recorded ? 0 : 1;
    if (!recorded || recorded->by_url() == whole[which]) continue;
    ASSERT_LT(bit, all[which].magic_bits) << all[which].suffix << " bit " << bit;
    ASSERT_EQ(recorded->by_url(), (Files{{"https://h/" + all[which].suffix, bad}}));
    EXPECT_TRUE(recorded->stored[0].resource.mismatch) << "it said that it was compressed";
    ++mismatches;
  }
  EXPECT_GT(errors, kFlips * 9 / 10);
  EXPECT_LT(mismatches, kFlips / 100);
}

// Names and bytes that a whole archive of that URL makes in a bundle.
Files stored_by(const std::string& url, const std::string& suffix, const std::string& bytes) {
  const auto recorded = recorded_of({.suffix = suffix, .bytes = bytes}, bytes);
  Files files;
  for (const Recorded::One& one : recorded->stored)
    files[resource_name(url.substr(0, url.size() - suffix.size()) + one.resource.url.substr(10))] = one.body;
  return files;
}

template <class Of>
class DamagedArchivesTest : public ::testing::Test {
 protected:
  // Adds it; if that is an error, nothing of it may be there.
  void add_damaged(Bundle& bundle, const std::string& url, const std::string& bytes) {
    const auto before = world.everything();
    MemorySource body{as_bytes(bytes)};
    const auto error = error_from([&] { bundle.add({.url = url}, body); });
    if (!error) return accepted(url, bytes);
    expect_verdict(*error);
    ++errors;
    ASSERT_EQ(world.everything(), before) << url;
  }
  void accepted(const std::string& url, const std::string& bytes) {
    const std::string suffix = url.substr(url.rfind('/') + 1);
    for (auto& [name, content] : stored_by(url, suffix, bytes)) expected[name] = content;
  }

  Of world;
  Files expected;
  std::uint64_t errors = 0;
};
using Worlds = ::testing::Types<FolderWorld, ObjectWorld>;
TYPED_TEST_SUITE(DamagedArchivesTest, Worlds);

TYPED_TEST(DamagedArchivesTest, leave_nothing_in_a_storage_or_the_same_bytes) {
  std::mt19937 random{penstock::test::seed()};
  const auto storage = this->world.storage();
  UnzipBundles unzip{*storage};
  BundleRef ref = reference();
  const auto bundle = unzip.start(ref, this->world.recipe);
  const auto all = archives();
  for (const Archive& archive : all)
    this->add_damaged(*bundle, "https://h/whole/" + archive.suffix, archive.bytes);
  EXPECT_EQ(this->errors, 0U);
  constexpr int kEach = 200;
  for (int i = 0; i < kEach; ++i) {
    const Archive& archive = all[random() % all.size()];
    this->add_damaged(*bundle, fmt::format("https://h/cut{}/{}", i, archive.suffix),
                      archive.bytes.substr(0, random() % archive.bytes.size()));
    this->add_damaged(*bundle, fmt::format("https://h/flip{}/{}", i, archive.suffix),
                      flipped(archive.bytes, random() % (archive.bytes.size() * 8)));
  }
  EXPECT_GE(this->errors, kEach * 18U / 10) << "the tests' own damage does nothing";
  const BundleReceipt receipt = bundle->finish(Json::object());
  EXPECT_EQ(receipt.resources_failed, this->errors);
  EXPECT_EQ(receipt.resources_stored, this->expected.size());
  EXPECT_EQ(this->world.visible(kBid), this->expected);
}

}  // namespace
}  // namespace penstock::bundles::test
