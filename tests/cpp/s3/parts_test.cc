#include "penstock/s3/parts.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::s3 {
namespace {

using test::error_of;

const Capabilities& aws() {
  return provider_row("aws");
}

std::uint64_t reach(const PartPlan& plan) {
  std::uint64_t total = 0;
  for (int number = 1; number <= plan.max_parts(); ++number) total += plan.size_of(number);
  return total;
}

TEST(PartPlan, AKnownLengthHasPartsOfOneSize) {
  EXPECT_EQ((PartPlan{aws(), 8_MiB, 100_MiB, {}}.size_of(1)), 8_MiB);
  EXPECT_EQ((PartPlan{aws(), 8_MiB, 10'000 * 8_MiB, {}}.size_of(10'000)), 8_MiB);
  EXPECT_EQ((PartPlan{aws(), 8_MiB, 10'000 * 8_MiB + 1, {}}.size_of(1)), 9_MiB);
  EXPECT_EQ((PartPlan{aws(), 8_MiB, 1_TiB, {}}.size_of(10'000)), 105_MiB);
  EXPECT_GE(reach({aws(), 8_MiB, 1_TiB, {}}), 1_TiB);
}

TEST(PartPlan, AnUnknownLengthDoublesEveryThousandParts) {
  const PartPlan plan{aws(), 8_MiB, {}, {}};
  EXPECT_EQ(plan.size_of(1), 8_MiB);
  EXPECT_EQ(plan.size_of(1000), 8_MiB);
  EXPECT_EQ(plan.size_of(1001), 16_MiB);
  EXPECT_EQ(plan.size_of(2001), 32_MiB);
  EXPECT_EQ(plan.size_of(9001), 4_GiB);
  EXPECT_EQ(plan.size_of(10'000), 4_GiB);
  EXPECT_GT(reach(plan), 7_TiB);
  EXPECT_LT(reach(plan), 8_TiB);
}

TEST(PartPlan, GrowthEndsAtTheRowsLargestPart) {
  const PartPlan plan{aws(), 5_GiB, {}, {}};
  EXPECT_EQ(plan.size_of(10'000), 5_GiB);
  EXPECT_EQ(reach(plan), 10'000 * 5_GiB);
}

TEST(PartPlan, ARowWithEqualPartsNeverGrows) {
  const Capabilities& r2 = provider_row("r2");
  EXPECT_EQ((PartPlan{r2, 8_MiB, {}, {}}.size_of(1)), 16_MiB);
  EXPECT_EQ((PartPlan{r2, 8_MiB, {}, {}}.size_of(9'999)), 16_MiB);
  EXPECT_EQ((PartPlan{r2, 8_MiB, {}, 1_TiB}.size_of(1)), 105_MiB);
  EXPECT_EQ((PartPlan{r2, 8_MiB, 1_GiB, {}}.size_of(1)), 8_MiB);
}

TEST(PartPlan, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(error_of([] { PartPlan(aws(), 5_MiB - 1, {}, {}); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([] { PartPlan(aws(), 5_GiB + 1, {}, {}); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([] { PartPlan(aws(), 8_MiB, 49_TiB, {}); }).kind(), Kind::refused);
  EXPECT_EQ(error_of([] { PartPlan(aws(), 8_MiB, UINT64_MAX, {}); }).kind(), Kind::refused);
}

TEST(PagedPart, GivesBackWhatWasPutInAtAnyOffset) {
  const auto budget = Budget::create(4_MiB);
  const std::string content = test::random_bytes(2 * kPageBytes + 1000, 7);
  std::uint64_t released = 0;
  {
    PagedPart part{[&](std::uint64_t bytes) { released = bytes; }};
    for (std::size_t at = 0; at < content.size();) {
      if (part.room().empty()) part.add(*budget->try_page());
      const std::size_t count = std::min({part.room().size(), content.size() - at, std::size_t{100'003}});
      std::memcpy(part.room().data(), content.data() + at, count);
      part.grow(count);
      at += count;
    }
    EXPECT_EQ(part.size(), content.size());
    std::string out(5000, '\0');
    for (const std::uint64_t offset : {std::uint64_t{0}, kPageBytes - 1, kPageBytes, 2 * kPageBytes - 4000}) {
      ASSERT_EQ(part.read_at(offset, std::as_writable_bytes(std::span{out})), out.size());
      EXPECT_EQ(out, content.substr(offset, out.size())) << offset;
    }
    EXPECT_EQ(part.read_at(content.size() - 10, std::as_writable_bytes(std::span{out})), 10u);
    EXPECT_EQ(part.read_at(content.size(), std::as_writable_bytes(std::span{out})), 0u);
    EXPECT_EQ(released, 0u);
  }
  EXPECT_EQ(released, 3 * kPageBytes);
}

TEST(PagedPart, WhatWasSpilledIsReadAmongTheRest) {
  const test::TemporaryFolder scratch;
  const auto budget = Budget::create(4_MiB);
  const std::string content = test::random_bytes(7 * kPageBytes + 1000, 8);
  PagedPart part;
  for (std::size_t at = 0; at < content.size();) {
    if (part.room().empty()) part.add(at < 3 * kPageBytes ? *budget->try_page() : part.spill(scratch.path()));
    const std::size_t count = std::min({part.room().size(), content.size() - at, std::size_t{100'003}});
    std::memcpy(part.room().data(), content.data() + at, count);
    part.grow(count);
    at += count;
  }
  EXPECT_TRUE(part.spills());
  EXPECT_EQ(part.page_bytes(), 3 * kPageBytes);
  EXPECT_TRUE(scratch.names().empty()) << "the file has a name";
  std::string out(content.size(), '\0');
  ASSERT_EQ(part.read_at(0, std::as_writable_bytes(std::span{out})), out.size());
  EXPECT_TRUE(out == content);
  for (std::uint64_t offset = kPageBytes - 10; offset + 20 < content.size(); offset += kPageBytes) {
    std::string across(20, '\0');
    ASSERT_EQ(part.read_at(offset, std::as_writable_bytes(std::span{across})), 20u);
    EXPECT_EQ(across, content.substr(offset, 20)) << offset;
  }
}

TEST(PagedPart, ThePageItGaveBackMustComeBeforeItSpillsAgain) {
  const test::TemporaryFolder scratch;
  const auto budget = Budget::create(4_MiB);
  PagedPart part;
  for (int page = 0; page < 2; ++page) {
    part.add(*budget->try_page());
    part.grow(kPageBytes);
  }
  Page given_back = part.spill(scratch.path());
  EXPECT_THROW(part.spill(scratch.path()), std::logic_error);
  part.add(std::move(given_back));
  EXPECT_EQ(part.room().size(), kPageBytes);
}

}  // namespace
}  // namespace penstock::s3
