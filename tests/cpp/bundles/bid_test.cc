#include "penstock/bundles/bid.h"

#include <charconv>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/errors.h"

namespace penstock::bundles {
namespace {

using std::chrono::milliseconds;

// 2025-09-06T22:00:20.657Z
constexpr milliseconds kStart{1'757'196'020'657};

std::uint64_t number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return value;
}

// Milliseconds in the 52 high bits, the counter in the rest, read back from the text.
std::uint64_t tick_of(std::string_view text) {
  const std::uint64_t ms = number(text.substr(0, 8), 10) * 100'000 + number(text.substr(9, 4), 10) * 10 +
                           number(text.substr(14, 1), 10);
  return ms << 12 | number(text.substr(15, 3), 16);
}

struct Clocked {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(WallTime{kStart});
  BidGenerator generator{clock};
};

// Steps to and fro within `reach`, a little at every look.
class RestlessClock : public Clock {
 public:
  explicit RestlessClock(milliseconds reach) : reach_(reach) {}
  SteadyTime now() const override { return {}; }
  WallTime wall() const override {
    const auto look = looks_.fetch_add(1, std::memory_order_relaxed);
    return WallTime{kStart + milliseconds{static_cast<std::int64_t>(look * 7'919 % reach_.count())}};
  }

 private:
  milliseconds reach_;
  mutable std::atomic<std::uint64_t> looks_{0};
};

// Marks numbers from `first` on; a second time is seen.
class Marks {
 public:
  Marks(std::uint64_t first, std::uint64_t count) : first_(first), words_(count / 64 + 1) {}
  bool mark(std::uint64_t number) {
    const std::uint64_t at = number - first_, bit = std::uint64_t{1} << at % 64;
    return !(words_.at(at / 64).fetch_or(bit, std::memory_order_relaxed) & bit);
  }

 private:
  std::uint64_t first_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

std::uint64_t how_many() {
  const char* full = std::getenv("PENSTOCK_TEST_FULL");
  return full && std::string{full} == "1" ? 100'000'000 : 1'000'000;
}

TEST(Bid, has_the_milliseconds_in_decimal_the_counter_and_64_random_bits) {
  Clocked at;
  const Bid first = at.generator.next(), second = at.generator.next();
  EXPECT_EQ(first.text().substr(0, 19), "17571960-2065-7000-");
  EXPECT_EQ(second.text().substr(0, 19), "17571960-2065-7001-");
  EXPECT_TRUE(Bid::is_valid(first.text())) << first.text();
  EXPECT_NE(first.text().substr(19), second.text().substr(19));
}

TEST(Bid, every_random_bit_is_sometimes_set_and_sometimes_not) {
  Clocked at;
  std::uint64_t ever = 0, always = ~std::uint64_t{0};
  for (int i = 0; i < 200; ++i) {
    const std::string text = at.generator.next().text();
    const std::uint64_t bits = number(text.substr(19, 4) + text.substr(24), 16);
    ever |= bits;
    always &= bits;
  }
  EXPECT_EQ(ever, ~std::uint64_t{0});
  EXPECT_EQ(always, 0U);
}

TEST(Bid, a_full_counter_borrows_the_next_millisecond) {
  Clocked at;
  for (int i = 0; i < 4'095; ++i) at.generator.next();
  EXPECT_EQ(at.generator.next().text().substr(0, 18), "17571960-2065-7fff");
  EXPECT_EQ(at.generator.next().text().substr(0, 18), "17571960-2065-8000");
}

TEST(Bid, a_clock_that_steps_back_does_not_take_ids_with_it) {
  Clocked at;
  const Bid before = at.generator.next();
  at.clock->set_wall(WallTime{kStart - std::chrono::hours{1}});
  const Bid after = at.generator.next();
  EXPECT_LT(before, after);
  EXPECT_EQ(before.time(), after.time());
  at.clock->set_wall(WallTime{kStart + milliseconds{1'000}});
  EXPECT_EQ(at.generator.next().text().substr(0, 18), "17571960-2165-7000");
}

TEST(Bid, a_clock_before_1970_still_gives_valid_ids) {
  BidGenerator generator{std::make_shared<ManualClock>(WallTime{std::chrono::hours{-1}})};
  const Bid first = generator.next();
  EXPECT_TRUE(Bid::is_valid(first.text())) << first.text();
  EXPECT_LT(first, generator.next());
}

TEST(Bid, sixteen_threads_get_rising_ids_and_none_twice) {
  constexpr std::uint64_t kThreads = 16;
  const std::uint64_t each = how_many() / kThreads;
  const milliseconds reach{20'000};
  BidGenerator generator{std::make_shared<RestlessClock>(reach)};
  const auto first = static_cast<std::uint64_t>(kStart.count()) << 12;
  Marks marks{first, (static_cast<std::uint64_t>(reach.count()) << 12) + each * kThreads};
  std::atomic<std::uint64_t> twice{0}, falling{0};

  auto work = [&] {
    Bid last = generator.next();
    for (std::uint64_t i = 0; i < each; ++i) {
      Bid bid = generator.next();
      if (!(last < bid)) ++falling;
      if (!marks.mark(tick_of(bid.text()))) ++twice;
      last = std::move(bid);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < kThreads; ++i) threads.emplace_back(work);
  }
  EXPECT_EQ(twice, 0U);
  EXPECT_EQ(falling, 0U);
}

TEST(Bid, an_id_made_after_another_was_seen_is_greater_on_any_thread) {
  Clocked at;
  Bid last = at.generator.next();
  for (int i = 0; i < 100; ++i)
    std::jthread{[&] {
      const Bid bid = at.generator.next();
      EXPECT_LT(last, bid);
      last = bid;
    }}.join();
}

TEST(Bid, a_forked_child_draws_other_bits_than_its_parent) {
  Clocked at;
  at.generator.next();  // bits for many more ids are drawn by now
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = at.generator.next().text();
    ::_exit(::write(ends[1], text.data(), text.size()) == 36 ? 0 : 1);
  }
  const std::string ours = at.generator.next().text();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  std::string theirs(36, '\0');
  ASSERT_EQ(::read(ends[0], theirs.data(), theirs.size()), 36);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(ours.substr(0, 19), theirs.substr(0, 19));
  EXPECT_NE(ours.substr(19), theirs.substr(19));
}

TEST(Bid, the_process_has_one_generator) {
  const auto before = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  const Bid first = Bid::generate(), second = Bid::generate();
  EXPECT_LT(first, second);
  ASSERT_TRUE(first.time());
  EXPECT_GE(*first.time(), before - milliseconds{10});
  EXPECT_LE(*first.time(), std::chrono::system_clock::now() + milliseconds{10});
}

TEST(Bid, takes_hexadecimal_digits_in_either_case_and_keeps_it) {
  for (const char* text : {"17571960-2065-e0cd-cf71-8196d8577b7e", "DEADBEEF-00aa-BBcc-0123-456789ABCDEF"})
    EXPECT_EQ(Bid::parse(text).text(), text);
}

TEST(Bid, takes_what_begins_test_or_custom) {
  for (const std::string& text : std::vector<std::string>{
           "test-", "custom-../../x", "test-été \xf0\x9f\x93\xa6", "test-" + std::string(195, 'x')})
    EXPECT_EQ(Bid::parse(text).text(), text);
}

TEST(Bid, refuses_everything_else) {
  const std::vector<std::string> wrong{
      "",
      "x",
      "Test-1",
      "testing",
      "17571960-2065-e0cd-cf71-8196d8577b7",
      "17571960-2065-e0cd-cf71-8196d8577b7e0",
      "17571960-2065-e0cd-cf71-8196d8577b7g",
      "175719602-065-e0cd-cf71-8196d8577b7e",
      "17571960-2065-e0cd-cf71_8196d8577b7e",
      " 7571960-2065-e0cd-cf71-8196d8577b7e",
      "test-\n",
      "test-\x1f",
      "test-\x7f",
      "test-\xc2\x80",
      "test-\xc2\x9f",
      std::string{"test-\0x", 7},
      "test-\xff",
      "test-\xed\xa0\x80",
      "test-" + std::string(196, 'x'),
  };
  for (const std::string& text : wrong) {
    const auto error = test::error_from([&] { Bid::parse(text); });
    ASSERT_TRUE(error) << text;
    EXPECT_EQ(error->kind(), Kind::refused);
    EXPECT_EQ(error->message(), "Invalid BID format");
  }
}

TEST(Bid, a_no_break_space_is_no_control_character) {
  EXPECT_TRUE(Bid::is_valid("test-\xc2\xa0"));
}

TEST(Bid, says_when_it_was_made_to_10_ms_as_older_writers_know_no_better) {
  EXPECT_EQ(Bid::parse("17571960-2065-e0cd-cf71-8196d8577b7e").time(),
            std::chrono::sys_time<milliseconds>{milliseconds{1'757'196'020'650}});
}

TEST(Bid, says_no_time_where_it_has_none) {
  EXPECT_FALSE(Bid::parse("test-17571960-2065").time());
  EXPECT_FALSE(Bid::parse("1757196a-2065-e0cd-cf71-8196d8577b7e").time());
  EXPECT_FALSE(Bid::parse("17571960-206f-e0cd-cf71-8196d8577b7e").time());
}

TEST(Bid, is_ordered_by_its_text) {
  const std::set<Bid> bids{Bid::parse("test-b"), Bid::parse("test-a"),
                           Bid::parse("17571960-2065-e0cd-cf71-8196d8577b7e"), Bid::parse("test-a")};
  ASSERT_EQ(bids.size(), 3U);
  EXPECT_EQ(bids.begin()->text(), "17571960-2065-e0cd-cf71-8196d8577b7e");
  EXPECT_EQ(bids.rbegin()->text(), "test-b");
}

}  // namespace
}  // namespace penstock::bundles
