#include "penstock/s3/piece.h"

#include <future>

#include <gtest/gtest.h>

#include "penstock/s3/s3_store.h"
#include "penstock/streams/held.h"

#include "s3/scripted_bucket.h"
#include "support/errors.h"
#include "support/read_all.h"

namespace penstock::s3 {
namespace {

using test::Asked;
using test::error_of;
using test::read_all;
using test::Reply;
using test::ScriptedBucket;
using Source = std::unique_ptr<store::ObjectSource>;

const store::ReadOptions kMiddle{.range = store::Range{.first = 1, .last = 3}};
const store::ReadOptions kAll{.range = store::Range{.first = 0, .last = 4}};

// Both ways to a piece: with a thread that waits, and without.
class PieceTest : public ::testing::TestWithParam<bool> {
 protected:
  // The last one for good.
  void get_says(std::vector<Reply> replies) {
    bucket.instead = [=, next = std::size_t{0}](const Asked&) mutable {
      const std::size_t now = std::min(next++, replies.size() - 1);
      return replies[now];
    };
  }
  Source get(const std::string& key, const store::ReadOptions& options) {
    if (!GetParam()) return store.get(key, options);
    std::promise<Piece> told;
    EXPECT_TRUE(store.submits(options));
    store.submit_get(key, options, {}, [&](Piece piece) { told.set_value(std::move(piece)); });
    Piece piece = told.get_future().get();
    if (auto* error = std::get_if<Error>(&piece)) throw std::move(*error);
    return std::get<Source>(std::move(piece));
  }

  ScriptedBucket bucket;
  std::shared_ptr<http::Client> http_client = test::quick_client();
  S3Store store{bucket.config(http_client)};
};

INSTANTIATE_TEST_SUITE_P(, PieceTest, ::testing::Values(false, true),
                         [](const auto& by) { return by.param ? "Submitted" : "Opened"; });

TEST_P(PieceTest, IsHeldAndCanBeReadAgain) {
  get_says({{206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 1-3/5"}}, "ell"}});
  const Source piece = get("k", kMiddle);
  EXPECT_NE(dynamic_cast<const Held*>(piece.get()), nullptr);
  EXPECT_EQ(piece->meta().bytes, 5u);
  EXPECT_EQ(piece->remaining(), 3u);
  piece->mark();
  EXPECT_EQ(read_all(*piece), "ell");
  piece->rewind();
  EXPECT_EQ(read_all(*piece), "ell");
  EXPECT_EQ(bucket.asked("GetObject").size(), 1u);
}

TEST_P(PieceTest, OfTheEndIsOneToo) {
  get_says({{206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 3-4/5"}}, "lo"}});
  EXPECT_EQ(read_all(*get("k", {.range = store::Range{.suffix = 2}})), "lo");
}

TEST_P(PieceTest, OfAnotherLengthThanItsRangeIsCorrupt) {
  get_says({{206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 1-3/5"}}, "ello"}});
  EXPECT_EQ(error_of([&] { get("k", kMiddle); }).kind(), Kind::corrupt);
}

TEST_P(PieceTest, ThatIsTheWholeIsAskedForOnceMoreIfItDiffers) {
  const Reply wrong{
      206,
      {{"ETag", "\"e\""}, {"Content-Range", "bytes 0-4/5"}, {"x-amz-checksum-crc32", "AAAAAA=="}},
      "hello"};
  get_says({wrong, {206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 0-4/5"}}, "hello"}});
  EXPECT_EQ(read_all(*get("k", kAll)), "hello");
  EXPECT_EQ(bucket.asked("GetObject").size(), 2u);
  get_says({wrong});
  const Error error = error_of([&] { get("k", kAll); });
  EXPECT_EQ(error.kind(), Kind::corrupt);
  EXPECT_NE(error.facts().expected, error.facts().actual);
  EXPECT_EQ(bucket.asked("GetObject").size(), 4u);
}

TEST_P(PieceTest, OfAServerThatSendsAllIsCorruptAndNotListenedTo) {
  get_says({{200, {{"ETag", "\"e\""}}, std::string(4 << 20, 'x')}});
  EXPECT_EQ(error_of([&] { get("k", kMiddle); }).kind(), Kind::corrupt);
  EXPECT_LT(http_client->statistics().bytes_in, 1u << 20);
}

TEST_P(PieceTest, IsChargedForAsLongAsItIsHeld) {
  const auto budget = http_client->budget();
  const std::uint64_t before = budget->statistics().used;
  get_says({{206, {{"ETag", "\"e\""}, {"Content-Range", "bytes 1-3/5"}}, "ell"}});
  Source piece = get("k", kMiddle);
  EXPECT_EQ(budget->statistics().used, before + 3);
  piece.reset();
  EXPECT_EQ(budget->statistics().used, before);
  get_says({{500, {}, "no"}});
  EXPECT_THROW(get("k", kMiddle), Error);
  std::promise<void> later;  // the I/O thread lets go of it after it has told
  http_client->post([&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_EQ(budget->statistics().used, before);
}

TEST_P(PieceTest, OfNothingIsMissing) {
  EXPECT_EQ(error_of([&] { get("none", kMiddle); }).facts().code, "NoSuchKey");
}

TEST_P(PieceTest, OfWhatCannotBeAKeyIsRefusedAtOnce) {
  EXPECT_EQ(error_of([&] { get("", kMiddle); }).kind(), Kind::refused);
  EXPECT_TRUE(bucket.asked("GetObject").empty());
}

TEST_P(PieceTest, OfAClosedClientIsRefused) {
  http_client->close();
  EXPECT_EQ(error_of([&] { get("k", kMiddle); }).kind(), Kind::cancelled);
}

TEST(Piece, IsAtMostAPage) {
  ScriptedBucket bucket;
  S3Store store{bucket.config(test::quick_client())};
  const std::uint64_t page = kPageBytes;
  EXPECT_TRUE(is_piece({.range = store::Range{.first = 7, .last = 7 + page - 1}}));
  EXPECT_TRUE(is_piece({.range = store::Range{.suffix = page}}));
  for (const store::ReadOptions& more : {store::ReadOptions{},
                                         {.range = store::Range{.first = 7, .last = 7 + page}},
                                         {.range = store::Range{.first = 7}},
                                         {.range = store::Range{.suffix = page + 1}}}) {
    EXPECT_FALSE(is_piece(more));
    EXPECT_FALSE(store.submits(more));
  }
}

}  // namespace
}  // namespace penstock::s3
