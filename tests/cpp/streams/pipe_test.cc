#include "penstock/streams/pipe.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "penstock/base/wait.h"

#include "support/random_bytes.h"
#include "support/stage_tests.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;

template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error{Kind::refused, "nothing was thrown"};
}

std::string read_some(PipeReader& reader, std::size_t most) {
  std::string buffer(most, '\0');
  buffer.resize(reader.read(std::as_writable_bytes(std::span{buffer})));
  return buffer;
}

std::optional<std::string> try_read_some(PipeReader& reader, std::size_t most) {
  std::string buffer(most, '\0');
  const auto got = reader.try_read(std::as_writable_bytes(std::span{buffer}));
  if (!got) return std::nullopt;
  buffer.resize(*got);
  return buffer;
}

TEST(Pipe, what_is_written_is_read_and_the_end_stays_the_end) {
  Pipe pipe{8};
  pipe.writer.write(as_bytes("abc"));
  pipe.writer.write(as_bytes("de"));
  EXPECT_EQ(pipe.writer.finish().bytes, 5U);
  EXPECT_EQ(test::read_all(pipe.reader, 4), "abcde");
}

TEST(Pipe, bytes_go_round_the_ring_in_order) {
  Pipe pipe{7};
  std::string sent, got;
  for (int i = 0; i < 100; ++i) {
    const std::string some(static_cast<std::size_t>(i % 7 + 1), static_cast<char>('a' + i % 26));
    pipe.writer.write(as_bytes(some));
    sent += some;
    while (pipe.writer.buffered() > 0) got += read_some(pipe.reader, 3);
  }
  EXPECT_EQ(got, sent);
}

TEST(Pipe, bytes_cross_threads_unchanged_whatever_the_sizes) {
  const std::string sent = test::random_bytes(1'000'000);
  for (const std::size_t ring_bytes : {1'000U, 64U * 1024U}) {
    for (const std::size_t buffer_bytes : {777U, 100'000U}) {
      Pipe pipe{ring_bytes};
      std::jthread thread{[&sent, writer = std::move(pipe.writer)]() mutable {
        for (std::size_t at = 0, step = 1; at < sent.size(); at += step, step = step * 3 % 50'021 + 1) {
          writer.write(as_bytes(std::string_view{sent}.substr(at, step)));
        }
        writer.finish();
      }};
      EXPECT_TRUE(test::read_all(pipe.reader, buffer_bytes) == sent) << ring_bytes << " " << buffer_bytes;
    }
  }
}

TEST(Pipe, bytes_cross_threads_unchanged_between_the_calls_that_never_wait) {
  const std::string sent = test::random_bytes(300'000);
  Pipe pipe{1'000};
  std::jthread thread{[&sent, writer = std::move(pipe.writer)]() mutable {
    std::string_view rest = sent;
    while (!rest.empty()) {
      const Bytes next = as_bytes(rest.substr(0, 333));
      rest.remove_prefix(rest.size() % 2 ? writer.try_write(next) : writer.try_write_to_ring(next));
      std::latch room{1};
      writer.on_room(1, [&room] { room.count_down(); });
      room.wait();
    }
    writer.finish();
  }};
  std::string got;
  while (true) {
    std::latch data{1};
    pipe.reader.on_data([&data] { data.count_down(); });
    data.wait();
    const auto some = try_read_some(pipe.reader, 501);
    ASSERT_TRUE(some);
    if (some->empty()) break;
    got += *some;
  }
  EXPECT_TRUE(got == sent);
}

// Memory of its own, so that what the process uses elsewhere plays no part.
Pipe paged_pipe(std::uint64_t pages, const std::shared_ptr<Budget>& budget) {
  return Pipe{pages * kPageBytes, {}, budget};
}

TEST(Pipe, a_full_page_changes_hands_and_nothing_of_it_is_copied) {
  const auto budget = Budget::create(4 * kPageBytes);
  Pipe pipe = paged_pipe(2, budget);
  const std::string sent = test::random_bytes(kPageBytes + 5);
  pipe.writer.write(as_bytes(sent));
  pipe.writer.finish();
  Page page = budget->overdraw_page();
  const std::byte* const before = page.bytes().data();
  ASSERT_EQ(pipe.reader.read_page(page), kPageBytes);
  EXPECT_NE(page.bytes().data(), before);
  EXPECT_TRUE(as_text(page.bytes()) == sent.substr(0, kPageBytes));
  ASSERT_EQ(pipe.reader.read_page(page), 5U);
  EXPECT_EQ(as_text(page.bytes().first(5)), sent.substr(kPageBytes));
  EXPECT_EQ(pipe.reader.read_page(page), 0U);
  EXPECT_EQ(budget->statistics().used, 3 * kPageBytes) << "as many pages as before";
}

TEST(Pipe, pages_and_plain_reads_may_alternate_at_any_place) {
  const auto budget = Budget::create(8 * kPageBytes);
  const std::string sent = test::random_bytes(9 * kPageBytes + 123);
  for (const std::size_t plain : {std::size_t{1}, std::size_t{100'000}, std::size_t{kPageBytes}}) {
    Pipe pipe = paged_pipe(3, budget);
    std::jthread thread{[&sent, writer = std::move(pipe.writer)]() mutable {
      for (std::size_t at = 0, step = 1; at < sent.size(); at += step, step = step * 3 % 150'021 + 1) {
        writer.write(as_bytes(std::string_view{sent}.substr(at, step)));
      }
      writer.finish();
    }};
    std::string got;
    Page page = budget->overdraw_page();
    for (bool by_page = true;; by_page = !by_page) {
      const std::size_t count =
          by_page ? pipe.reader.read_page(page) : pipe.reader.read(page.bytes().first(plain));
      if (count == 0) break;
      got += as_text(page.bytes().first(count));
    }
    EXPECT_TRUE(got == sent) << plain;
  }
}

TEST(Pipe, a_reader_that_waits_for_a_page_and_a_writer_that_waits_for_room_do_not_wait_for_each_other) {
  const auto budget = Budget::create(4 * kPageBytes);
  Pipe pipe = paged_pipe(1, budget);
  pipe.writer.write(as_bytes("abc"));
  std::latch room{1};
  pipe.writer.on_room(kPageBytes, [&room] { room.count_down(); });
  Page page = budget->overdraw_page();
  EXPECT_EQ(pipe.reader.read_page(page), 3U);
  room.wait();
}

TEST(Pipe, a_ring_of_several_pages_takes_what_the_budget_has_to_spare_and_at_least_one) {
  const auto budget = Budget::create(4 * kPageBytes);
  const Pipe first = paged_pipe(2, budget), second = paged_pipe(2, budget), third = paged_pipe(2, budget);
  EXPECT_EQ(first.writer.room(), 2 * kPageBytes);
  EXPECT_EQ(second.writer.room(), kPageBytes);  // the lower half, which is what is to spare, is taken
  EXPECT_EQ(third.writer.room(), kPageBytes);
  EXPECT_EQ(budget->statistics().overdraft, 0U);
  const Pipe fourth = paged_pipe(2, budget);
  EXPECT_EQ(fourth.writer.room(), kPageBytes);
  EXPECT_EQ(budget->statistics().overdraft, kPageBytes);
}

TEST(Pipe, the_reader_gets_what_is_in_the_ring_and_then_the_error) {
  Pipe pipe{8};
  pipe.writer.write(as_bytes("abc"));
  pipe.writer.fail(Error{Kind::corrupt, "bad sum", {.code = "sum"}});
  EXPECT_EQ(read_some(pipe.reader, 100), "abc");
  for (int i = 0; i < 2; ++i) {
    const Error error = error_of([&] { read_some(pipe.reader, 100); });
    EXPECT_EQ(error.kind(), Kind::corrupt);
    EXPECT_EQ(error.facts().code, "sum");
  }
}

TEST(Pipe, an_abort_is_an_error_that_says_why_and_never_an_end) {
  Pipe pipe{8};
  pipe.writer.abort("the disk is full");
  pipe.writer.abort("again");
  const Error error = error_of([&] { read_some(pipe.reader, 1); });
  EXPECT_EQ(error.kind(), Kind::cancelled);
  EXPECT_NE(error.message().find("the disk is full"), std::string::npos);
}

TEST(Pipe, a_writer_that_dies_unfinished_is_an_error_and_never_an_end) {
  Pipe pipe{8};
  pipe.writer.write(as_bytes("abc"));
  {
    const PipeWriter dies = std::move(pipe.writer);
  }
  EXPECT_EQ(read_some(pipe.reader, 100), "abc");
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 100); }).kind(), Kind::lost);
}

TEST(Pipe, a_writer_that_is_replaced_unfinished_is_an_error_too) {
  Pipe pipe{8}, other{8};
  pipe.writer = std::move(other.writer);
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 100); }).kind(), Kind::lost);
}

TEST(Pipe, a_waiting_reader_hears_of_the_writers_death) {
  Pipe pipe{8};
  std::jthread thread{[writer = std::move(pipe.writer)] {}};
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 100); }).kind(), Kind::lost);
}

TEST(Pipe, a_closed_reader_fails_the_writer) {
  Pipe pipe{8};
  pipe.reader.close();
  EXPECT_EQ(error_of([&] { pipe.writer.write(as_bytes("a")); }).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { pipe.writer.try_write(as_bytes("a")); }).kind(), Kind::cancelled);
}

TEST(Pipe, a_dying_reader_fails_a_waiting_writer) {
  Pipe pipe{4};
  std::jthread thread{[reader = std::move(pipe.reader)]() mutable { read_some(reader, 2); }};
  EXPECT_EQ(error_of([&] { pipe.writer.write(as_bytes(std::string(100, 'x'))); }).kind(), Kind::cancelled);
}

TEST(Pipe, finish_fails_only_if_the_reader_left_bytes_unread) {
  Pipe left{8}, taken{8};
  left.writer.write(as_bytes("abc"));
  left.reader.close();
  EXPECT_EQ(error_of([&] { left.writer.finish(); }).kind(), Kind::cancelled);
  taken.writer.write(as_bytes("abc"));
  read_some(taken.reader, 8);
  taken.reader.close();
  EXPECT_EQ(taken.writer.finish().bytes, 3U);
}

TEST(Pipe, an_ended_pipe_is_not_written_to) {
  Pipe pipe{8};
  pipe.writer.finish();
  EXPECT_THROW(pipe.writer.write(as_bytes("a")), std::logic_error);
  EXPECT_THROW(pipe.writer.finish(), std::logic_error);
}

TEST(Pipe, a_stop_ends_a_waiting_read_and_a_waiting_write) {
  std::stop_source stop;
  Pipe pipe{4, {.stop = stop.get_token()}};
  std::jthread stopper{[&stop] { stop.request_stop(); }};
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 1); }).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { pipe.writer.write(as_bytes("12345")); }).kind(), Kind::cancelled);
}

TEST(Pipe, a_stop_ends_a_stream_that_never_waits) {
  std::stop_source stop;
  Pipe pipe{4, {.stop = stop.get_token()}};
  pipe.writer.write(as_bytes("123"));
  stop.request_stop();
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 1); }).kind(), Kind::cancelled);
}

TEST(Pipe, the_deadline_ends_a_waiting_read) {
  Pipe pipe{4, {.deadline = Deadline::after(milliseconds{10})}};
  EXPECT_EQ(error_of([&] { read_some(pipe.reader, 1); }).facts().code, code::kDeadline);
}

TEST(Pipe, the_try_calls_take_and_give_what_they_can_and_never_wait) {
  Pipe pipe{4};
  EXPECT_EQ(try_read_some(pipe.reader, 10), std::nullopt);
  EXPECT_EQ(pipe.reader.ready(), 0U);
  EXPECT_EQ(pipe.writer.try_write(as_bytes("123456")), 4U);
  EXPECT_EQ(pipe.reader.ready(), 4U);
  EXPECT_EQ(pipe.writer.try_write(as_bytes("56")), 0U);
  EXPECT_EQ(pipe.writer.room(), 0U);
  EXPECT_EQ(pipe.writer.buffered(), 4U);
  EXPECT_EQ(try_read_some(pipe.reader, 3), "123");
  EXPECT_EQ(pipe.writer.room(), 3U);
  EXPECT_EQ(pipe.reader.ready(), 1U);
  pipe.writer.finish();
  EXPECT_EQ(try_read_some(pipe.reader, 3), "4");
  EXPECT_EQ(try_read_some(pipe.reader, 3), "");
}

TEST(Pipe, a_waiting_reader_is_written_to_straight_but_not_if_the_ring_is_asked_for) {
  for (const bool to_ring : {false, true}) {
    Pipe pipe{4};
    std::latch waits{1};
    std::string got;
    std::jthread reading{[&] {
      bool told = false;
      const base::WaitHook hook{[&] {
        if (!std::exchange(told, true)) waits.count_down();
      }};
      got = test::read_all(pipe.reader, 100);
    }};
    waits.wait();
    const Bytes six = as_bytes("123456");
    EXPECT_EQ(to_ring ? pipe.writer.try_write_to_ring(six) : pipe.writer.try_write(six), to_ring ? 4U : 6U);
    pipe.writer.finish();
    reading.join();
    EXPECT_EQ(got, to_ring ? "1234" : "123456");
  }
}

TEST(Pipe, on_data_calls_once_outside_the_lock_when_there_is_something) {
  Pipe pipe{8};
  int calls = 0;
  std::optional<std::string> seen;
  pipe.reader.on_data([&] {
    ++calls;
    seen = try_read_some(pipe.reader, 8);  // would deadlock under the lock
  });
  EXPECT_EQ(calls, 0);
  pipe.writer.write(as_bytes("ab"));
  pipe.writer.write(as_bytes("cd"));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen, "ab");
  pipe.reader.on_data([&] { ++calls; });
  EXPECT_EQ(calls, 2) << "at once, as there are bytes";
}

TEST(Pipe, on_data_hears_of_the_end_and_of_an_error) {
  for (const bool well : {true, false}) {
    Pipe pipe{8};
    int calls = 0;
    pipe.reader.on_data([&] { ++calls; });
    if (well) {
      pipe.writer.finish();
    } else {
      pipe.writer.abort("no");
    }
    EXPECT_EQ(calls, 1);
  }
}

TEST(Pipe, on_room_calls_once_outside_the_lock_when_there_is_enough) {
  Pipe pipe{8};
  pipe.writer.write(as_bytes("12345678"));
  int calls = 0;
  pipe.writer.on_room(4, [&] {
    ++calls;
    EXPECT_EQ(pipe.writer.try_write(as_bytes("abcd")), 4U);
  });
  read_some(pipe.reader, 3);
  EXPECT_EQ(calls, 0);
  read_some(pipe.reader, 1);
  EXPECT_EQ(calls, 1);
  read_some(pipe.reader, 8);
  EXPECT_EQ(calls, 1);
  pipe.writer.on_room(100, [&] { ++calls; });
  EXPECT_EQ(calls, 2) << "at once: more than the ring cannot be waited for";
}

TEST(Pipe, on_room_hears_that_the_reader_is_gone) {
  Pipe pipe{4};
  pipe.writer.write(as_bytes("1234"));
  int calls = 0;
  pipe.writer.on_room(1, [&] { ++calls; });
  pipe.reader.close();
  EXPECT_EQ(calls, 1);
}

TEST(Pipe, what_an_interrupted_read_may_have_lost_is_never_passed_over) {
  const std::string sent = test::random_bytes(100'000);
  Pipe pipe{1'000};
  struct Interrupt {};
  std::jthread thread{[&sent, writer = std::move(pipe.writer)]() mutable {
    try {
      for (std::size_t at = 0; at < sent.size(); at += 100) {
        if (at % 50'000 == 0) std::this_thread::sleep_for(milliseconds{120});  // the reader's hook comes due
        writer.write(as_bytes(std::string_view{sent}.substr(at, 100)));
      }
      writer.finish();
    } catch (const Error&) {
    }
  }};
  std::string got;
  bool broken = false;
  while (!broken) {
    try {
      const base::WaitHook hook{[] { throw Interrupt{}; }};
      const std::string some = read_some(pipe.reader, 50'000);
      if (some.empty()) break;
      got += some;
    } catch (const Interrupt&) {
    } catch (const Error&) {
      broken = true;
    }
  }
  EXPECT_TRUE(sent.starts_with(got));
  EXPECT_TRUE(broken || got.size() == sent.size());
  pipe.reader.close();
}

TEST(Pipe, its_bytes_are_charged_as_long_as_either_end_lives) {
  const auto budget = Budget::create(10'000);
  {
    std::optional<Pipe> pipe{std::in_place, 4'000, Call{}, budget};
    EXPECT_EQ(budget->statistics().used, 4'000U);
    const PipeReader reader = std::move(pipe->reader);
    pipe.reset();
    EXPECT_EQ(budget->statistics().used, 4'000U);
  }
  EXPECT_EQ(budget->statistics().used, 0U);
}

}  // namespace
}  // namespace penstock
