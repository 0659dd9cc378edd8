#include "penstock/streams/peek.h"

#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/stage_tests.h"

namespace penstock {
namespace {

using test::read_all;
using test::Stage;
using test::StageCase;
using test::StageTest;

// Looks at as much as there is of the first bytes, whatever the source does, and then passes all.
struct PeekedAt : Source {
  explicit PeekedAt(Source& inner) : peek(inner) {}
  std::size_t read(MutableBytes buffer) override { return looked().read(buffer); }
  bool rewindable() const override { return peek.rewindable(); }
  void mark() override { looked().mark(); }
  void rewind() override { peek.rewind(); }
  Peek& looked() {
    try {
      if (!std::exchange(has_looked, true)) peek.peek(10);
    } catch (const Error&) {
      // read() throws it where it belongs.
    }
    return peek;
  }
  Peek peek;
  bool has_looked = false;
};

StageCase peeked() {
  return {.name = "Peek",
          .make = [](Source& inner) { return Stage{.source = std::make_unique<PeekedAt>(inner)}; }};
}

INSTANTIATE_TEST_SUITE_P(Peek, StageTest, ::testing::Values(peeked()),
                         [](const auto& stage) { return stage.param.name; });

TEST(Peek, what_was_looked_at_is_read_all_the_same) {
  const std::string text = "0123456789";
  MemorySource whole{as_bytes(text)};
  SlowSource slow{whole, 3};
  Peek peek{slow};
  EXPECT_EQ(as_text(peek.peek(2)), "01");
  EXPECT_EQ(as_text(peek.peek(7)), "0123456");
  EXPECT_EQ(as_text(peek.peek(1)), "0");
  EXPECT_EQ(peek.remaining(), 10u);
  EXPECT_EQ(read_all(peek, 4), text);
  EXPECT_EQ(peek.remaining(), 0u);
  EXPECT_THROW(peek.peek(1), std::logic_error);
}

TEST(Peek, of_a_shorter_stream_there_is_what_it_holds) {
  MemorySource source{as_bytes("ab")};
  Peek peek{source};
  EXPECT_EQ(as_text(peek.peek(512)), "ab");
  EXPECT_EQ(read_all(peek), "ab");
}

TEST(Peek, a_failure_is_thrown_again_and_read_behind_what_came_before) {
  MemorySource whole{as_bytes("0123456789")};
  SlowSource slow{whole, 2};
  slow.break_at(4, Error{Kind::lost, "gone"});
  Peek peek{slow};
  EXPECT_EQ(as_text(peek.peek(2)), "01");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(test::error_of([&] { peek.peek(8); }).kind(), Kind::lost);
  EXPECT_EQ(as_text(peek.peek(4)), "0123");
  std::string read(4, '\0');
  EXPECT_EQ(read_full(peek, std::as_writable_bytes(std::span{read})), 4u);
  EXPECT_EQ(read, "0123");
  EXPECT_EQ(test::error_of([&] { read_all(peek); }).kind(), Kind::lost);
}

}  // namespace
}  // namespace penstock
