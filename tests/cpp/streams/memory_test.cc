#include "penstock/streams/memory.h"

#include <gtest/gtest.h>

#include "penstock/base/budget.h"

#include "support/random_bytes.h"
#include "support/stage_tests.h"

namespace penstock {
namespace {

TEST(MemorySource, knows_what_remains_and_goes_back_to_its_mark) {
  MemorySource source{as_bytes("abcdef")};
  std::string buffer(2, '\0');
  const auto bytes = std::as_writable_bytes(std::span{buffer});
  source.read(bytes);
  EXPECT_EQ(source.remaining(), 4U);
  source.mark();
  source.read(bytes);
  source.rewind();
  EXPECT_EQ(test::read_all(source), "cdef");
  EXPECT_EQ(source.remaining(), 0U);
}

TEST(MemorySink, shows_nothing_before_finish_and_all_after) {
  MemorySink sink;
  sink.write(as_bytes("abc"));
  EXPECT_EQ(sink.visible(), "");
  const Receipt receipt = sink.finish();
  EXPECT_EQ(sink.visible(), "abc");
  EXPECT_EQ(receipt.bytes, 3U);
  EXPECT_EQ(receipt.mode, "memory");
}

TEST(MemorySink, shows_nothing_after_an_abort_which_may_be_repeated) {
  MemorySink sink;
  sink.write(as_bytes("abc"));
  sink.abort("first");
  sink.abort("second");
  EXPECT_EQ(sink.visible(), "");
  EXPECT_TRUE(sink.aborted());
  EXPECT_EQ(sink.why(), "first");
  EXPECT_THROW(sink.finish(), std::logic_error);
}

TEST(MemorySink, takes_its_limit_and_refuses_one_byte_more) {
  MemorySink sink{3};
  sink.write(as_bytes("abc"));
  try {
    sink.write(as_bytes("d"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_EQ(error.facts().code, code::kTooLarge);
    EXPECT_EQ(error.facts().side, Side::sink);
  }
}

TEST(SlowSink, takes_its_bytes_in_small_steps_and_breaks_where_told) {
  MemorySink inner;
  SlowSink sink{inner, 3};
  sink.break_at(7, Error{Kind::lost, "gone"});
  sink.write(as_bytes("12345"));
  EXPECT_THROW(sink.write(as_bytes("67890")), Error);
  sink.abort("it broke");
  EXPECT_TRUE(inner.aborted());
}

TEST(SlowSink, that_is_finished_has_passed_everything) {
  MemorySink inner;
  SlowSink sink{inner, 3};
  sink.write(as_bytes("1234567890"));
  EXPECT_EQ(sink.finish().bytes, 10U);
  EXPECT_EQ(inner.visible(), "1234567890");
}

TEST(SlowSource, breaks_once_and_a_rewound_read_passes) {
  MemorySource inner{as_bytes("abcdef")};
  SlowSource source{inner, 2};
  source.break_at(3, Error{Kind::lost, "cut"});
  source.mark();
  EXPECT_THROW(test::read_all(source), Error);
  source.rewind();
  EXPECT_EQ(test::read_all(source), "abcdef");
}

TEST(Pump, moves_everything_and_finishes) {
  const std::string bytes = test::random_bytes(1'000'003);
  MemorySource source{as_bytes(bytes)};
  MemorySink sink;
  EXPECT_EQ(pump(source, sink).bytes, bytes.size());
  EXPECT_TRUE(sink.visible() == bytes);
}

TEST(Pump, a_source_that_breaks_leaves_nothing_finished) {
  MemorySource inner{as_bytes("abcdef")};
  SlowSource source{inner, 2};
  source.break_at(3, Error{Kind::lost, "cut"});
  MemorySink sink;
  EXPECT_THROW(pump(source, sink), Error);
  EXPECT_FALSE(sink.finished());
}

TEST(WriteFrom, borrows_one_page_over_the_limit_if_need_be_and_gives_it_back) {
  const auto former = Budget::process_default();
  const auto tight = Budget::create(10);
  Budget::set_process_default(tight);
  MemorySource source{as_bytes("abc")};
  MemorySink sink;
  EXPECT_EQ(sink.write_from(source), 3U);
  EXPECT_EQ(tight->statistics().peak, kPageBytes);
  EXPECT_EQ(tight->statistics().used, 0U);
  Budget::set_process_default(former);
}

}  // namespace
}  // namespace penstock
