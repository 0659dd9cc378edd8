#include "penstock/store/object_reader.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/store/memory_store.h"

#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::store {
namespace {

using test::error_of;

// Remembers from where it was read; gives the n-th read another object, or an end that is none.
class WatchedStore : public MemoryStore {
 public:
  std::unique_ptr<ObjectSource> get(std::string_view key, const ReadOptions& options,
                                    const Call& call) override {
    opened.push_back(options.range ? *options.range->first : 0);
    ReadOptions asked = options;
    if (ignores_conditions) asked.if_match.clear();
    if (cut_to) asked.range = Range{.first = opened.back(), .last = *cut_to - 1};
    return MemoryStore::get(key, asked, call);
  }
  std::vector<std::uint64_t> opened;
  bool ignores_conditions = false;
  std::optional<std::uint64_t> cut_to;
};

class ObjectReaderTest : public ::testing::Test {
 protected:
  ObjectReaderTest() { store.put("k", as_bytes(content)); }
  ObjectReader reader(const ReadOptions& options = {}) { return {store, "k", options, {}}; }
  static std::string read(ObjectReader& from, std::size_t bytes) {
    std::string text(bytes, '\0');
    text.resize(read_full(from, std::as_writable_bytes(std::span{text})));
    return text;
  }

  const std::string content = test::pattern(0, 1'000'000);
  WatchedStore store;
};

TEST_F(ObjectReaderTest, ReadsWhereItIsSoughtAndOpensNothingBefore) {
  ObjectReader object = reader();
  EXPECT_EQ(object.meta().bytes, content.size());
  object.seek(700'000);
  EXPECT_TRUE(store.opened.empty());
  EXPECT_EQ(read(object, 100), content.substr(700'000, 100));
  EXPECT_EQ(object.tell(), 700'100u);
  EXPECT_EQ(object.remaining(), 299'900u);
  object.seek(0);
  EXPECT_EQ(read(object, 100), content.substr(0, 100));
  EXPECT_EQ(store.opened, (std::vector<std::uint64_t>{700'000, 0}));
}

TEST_F(ObjectReaderTest, ASmallGapIsReadOverAndALargeOneIsAskedForAnew) {
  ObjectReader object = reader();
  read(object, 100);
  object.seek(200'000);
  EXPECT_EQ(read(object, 100), content.substr(200'000, 100));
  EXPECT_EQ(store.opened.size(), 1u);
  object.seek(600'000);
  EXPECT_EQ(read(object, 100), content.substr(600'000, 100));
  EXPECT_EQ(store.opened.back(), 600'000u);
}

TEST_F(ObjectReaderTest, PastTheEndIsTheEnd) {
  ObjectReader object = reader();
  object.seek(content.size() + 5);
  EXPECT_EQ(read(object, 10), "");
  EXPECT_EQ(object.remaining(), 0u);
  EXPECT_TRUE(store.opened.empty());
}

TEST_F(ObjectReaderTest, GoesBackToItsMark) {
  ObjectReader object = reader();
  object.seek(10);
  object.mark();
  EXPECT_EQ(read(object, 50), content.substr(10, 50));
  object.rewind();
  EXPECT_EQ(read(object, 50), content.substr(10, 50));
}

TEST_F(ObjectReaderTest, AReplacedObjectIsAConflictWhateverTheStoreMakesOfTheCondition) {
  for (const bool ignores : {false, true}) {
    store.put("k", as_bytes(content));
    store.ignores_conditions = ignores;
    ObjectReader object = reader();
    read(object, 100);
    store.put("k", as_bytes("another"));
    object.seek(0);
    const Error error = error_of([&] { read(object, 100); });
    EXPECT_EQ(error.kind(), Kind::conflict);
    EXPECT_EQ(error.facts().code, code::kChanged);
  }
}

TEST_F(ObjectReaderTest, AnotherVersionThanWasAskedForIsAConflictAtOnce) {
  EXPECT_EQ(error_of([&] { reader({.if_match = "\"another\""}); }).kind(), Kind::conflict);
  const std::string etag = store.head("k").etag;
  EXPECT_EQ(reader({.if_match = etag}).meta().etag, etag);
}

TEST_F(ObjectReaderTest, AnEndBeforeTheSizeIsCorruptAndTheNextReadTriesAgain) {
  ObjectReader object = reader();
  store.cut_to = 300;
  EXPECT_EQ(error_of([&] { read(object, 500); }).kind(), Kind::corrupt);
  store.cut_to.reset();
  object.seek(0);
  EXPECT_EQ(read(object, 500), content.substr(0, 500));
}

TEST_F(ObjectReaderTest, NothingThereIsMissingAndARangeIsRefused) {
  EXPECT_EQ(error_of([&] { ObjectReader(store, "none", {}, {}); }).kind(), Kind::missing);
  EXPECT_EQ(error_of([&] { reader({.range = Range{.first = 1}}); }).facts().code, "range");
}

}  // namespace
}  // namespace penstock::store
