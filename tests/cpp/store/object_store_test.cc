#include "penstock/store/object_store.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/store/memory_store.h"
#include "penstock/store/range.h"
#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::store {
namespace {

using test::error_of;

// A store whose removals fail, over one that works.
class NoRemove : public MemoryStore {
 public:
  void remove(std::string_view key, const RemoveOptions&, const Call&) override {
    throw Error{Kind::denied, "no right to remove", {.subject = std::string{key}, .code = "AccessDenied"}};
  }
};

TEST(ObjectStore, AMoveWhoseRemoveFailsKeepsBothAndSaysSo) {
  NoRemove store;
  store.put("from", as_bytes("x"));
  Error error = error_of([&] { store.move("from", "to"); });
  EXPECT_EQ(error.kind(), Kind::denied);
  EXPECT_EQ(error.facts().code, "AccessDenied");
  EXPECT_NE(error.message().find("both are there"), std::string::npos) << error.message();
  EXPECT_TRUE(store.exists("from"));
  EXPECT_TRUE(store.exists("to"));
}

TEST(ObjectStore, RemoveManyReportsEachFailureByItsKey) {
  NoRemove store;
  const std::string keys[] = {"a", "b"};
  RemoveReport report = store.remove_many(keys);
  EXPECT_EQ(report.removed, 0u);
  ASSERT_EQ(report.errors.size(), 2u);
  EXPECT_EQ(report.errors.at("b").facts().subject, "b");
}

class Told : public Progress {
 public:
  void report(const ProgressReport& report) override {
    states.push_back(report.state);
    bytes.push_back(report.bytes_done);
    total = report.bytes_total;
    if (report.bytes_done >= refuses_at) throw Error{Kind::cancelled, "enough"};
  }
  std::vector<TransferState> states;
  std::vector<std::uint64_t> bytes;
  std::optional<std::uint64_t> total;
  std::uint64_t refuses_at = UINT64_MAX;
};

TEST(ObjectStore, APutTellsItsBytesAndItsStatesInOrder) {
  MemoryStore store;
  const std::string content(3'000'000, 'x');
  MemorySource source{as_bytes(content)};
  Told told;
  store.put("k", source, {}, {.progress = &told});
  ASSERT_GE(told.states.size(), 3u);
  EXPECT_EQ(told.states.front(), TransferState::downloading);
  EXPECT_EQ(told.states.at(told.states.size() - 2), TransferState::publishing);
  EXPECT_EQ(told.states.back(), TransferState::completed);
  EXPECT_TRUE(std::is_sorted(told.bytes.begin(), told.bytes.end()));
  EXPECT_EQ(told.bytes.back(), content.size());
  EXPECT_EQ(told.total, content.size());
}

TEST(ObjectStore, APutThatFailsTellsSo) {
  MemoryStore store;
  store.put("k", as_bytes("x"));
  Told told;
  const WriteOptions create{.mode = Mode::create()};
  EXPECT_EQ(error_of([&] { store.put("k", as_bytes("y"), create, {.progress = &told}); }).kind(),
            Kind::conflict);
  EXPECT_EQ(told.states.back(), TransferState::failed);
}

TEST(ObjectStore, AFileThatCannotBeHadTellsSo) {
  MemoryStore store;
  Told told;
  const test::TemporaryFolder folder;
  EXPECT_EQ(error_of([&] { store.get_file("k", folder / "k", {}, {.progress = &told}); }).kind(),
            Kind::missing);
  EXPECT_EQ(told.states, std::vector{TransferState::failed});
}

TEST(ObjectStore, AProgressThatThrowsCancelsThePut) {
  MemoryStore store;
  Told told;
  told.refuses_at = 1;
  EXPECT_EQ(error_of([&] { store.put("k", as_bytes("body"), {}, {.progress = &told}); }).kind(),
            Kind::cancelled);
  EXPECT_FALSE(store.exists("k"));
}

TEST(ObjectStore, KeysAreUtf8) {
  const char* good[] = {"a",
                        "\xc2\x80",
                        "\xe0\xa0\x80",
                        "\xed\x9f\xbf",
                        "\xee\x80\x80",
                        "\xf0\x90\x80\x80",
                        "\xf4\x8f\xbf\xbf"};
  const char* bad[] = {"\x80",
                       "\xc1\xbf",
                       "\xe0\x9f\xbf",
                       "\xed\xa0\x80",
                       "\xf0\x8f\xbf\xbf",
                       "\xf4\x90\x80\x80",
                       "\xf5\x80\x80\x80",
                       "a\xe2\x82",
                       "\xe2\x82\x41"};
  for (const char* key : good) EXPECT_NO_THROW(check_key(key)) << ::testing::PrintToString(key);
  for (const char* key : bad) {
    EXPECT_EQ(error_of([&] { check_key(key); }).kind(), Kind::refused) << ::testing::PrintToString(key);
  }
  EXPECT_NO_THROW(check_key(std::string(1024, 'k')));
  EXPECT_EQ(error_of([&] { check_key(std::string(1025, 'k')); }).kind(), Kind::refused);
}

TEST(Range, CoversTheEdgesOfTheNumbers) {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  EXPECT_EQ(resolve({.first = 0, .last = kMost}, 10, "x").bytes, 10u);
  EXPECT_EQ(resolve({.suffix = kMost}, 10, "x").offset, 0u);
  EXPECT_EQ(resolve({.first = kMost - 1}, kMost, "x").bytes, 1u);
  EXPECT_EQ(resolve({}, 10, "x").bytes, 10u);
  EXPECT_EQ(resolve({.last = 3}, 10, "x").bytes, 4u);
  EXPECT_EQ(error_of([&] { resolve({.first = 1, .suffix = 1}, 10, "x"); }).facts().code, "range");
}

}  // namespace
}  // namespace penstock::store
