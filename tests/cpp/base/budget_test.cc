#include "penstock/base/budget.h"

#include <cstring>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/child.h"

namespace penstock {
namespace {

using std::chrono::seconds;

// Bytes of `page` that are in memory now, as the kernel counts them.
std::size_t resident_bytes(const std::byte* page) {
  const auto unit = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> present(kPageBytes / unit);
  if (::mincore(const_cast<std::byte*>(page), kPageBytes, present.data()) != 0) return 0;
  std::size_t count = 0;
  for (const unsigned char flags : present) count += flags & 1U;
  return count * unit;
}

Page touched(Page page) {
  std::memset(page.bytes().data(), 1, kPageBytes);
  return page;
}

TEST(Budget, charges_up_to_its_limit_and_not_a_byte_more) {
  const auto budget = Budget::create(1'000);
  const auto first = budget->try_charge(600);
  ASSERT_TRUE(first);
  EXPECT_FALSE(budget->try_charge(401));
  const auto second = budget->try_charge(400);
  ASSERT_TRUE(second);
  EXPECT_FALSE(budget->try_charge(1));
  EXPECT_EQ(budget->statistics().used, 1'000U);
}

TEST(Budget, a_charge_comes_back_when_it_dies_or_is_replaced) {
  const auto budget = Budget::create(1'000);
  {
    Charge charge = *budget->try_charge(700);
    EXPECT_EQ(charge.bytes(), 700U);
    const Charge moved = std::move(charge);
    EXPECT_EQ(budget->statistics().used, 700U);
  }
  EXPECT_EQ(budget->statistics().used, 0U);
  EXPECT_EQ(budget->statistics().peak, 700U);
}

TEST(Budget, a_size_near_the_largest_number_is_simply_no_room) {
  const auto budget = Budget::create(1'000);
  const auto some = budget->try_charge(10);
  EXPECT_FALSE(budget->try_charge(~std::uint64_t{0}));
  EXPECT_FALSE(budget->try_charge(~std::uint64_t{0} - 5));
}

TEST(Budget, an_overdraft_is_granted_and_counted_until_it_is_paid_back) {
  const auto budget = Budget::create(1'000);
  {
    const Charge over = budget->overdraw(1'500);
    EXPECT_EQ(budget->statistics().overdraft, 500U);
    EXPECT_FALSE(budget->try_charge(1));
  }
  EXPECT_EQ(budget->statistics().overdraft, 0U);
  EXPECT_TRUE(budget->try_charge(1'000));
}

TEST(Budget, pages_are_slices_of_one_slab) {
  const auto budget = Budget::create(4 * kPageBytes);
  std::vector<Page> pages;
  while (auto page = budget->try_page()) pages.push_back(touched(std::move(*page)));
  ASSERT_EQ(pages.size(), 4U);
  std::vector<std::byte*> places;
  for (Page& page : pages) places.push_back(page.bytes().data());
  std::sort(places.begin(), places.end());
  EXPECT_EQ(places.back() - places.front(), static_cast<std::ptrdiff_t>(3 * kPageBytes));
}

TEST(Budget, charges_and_pages_share_the_limit) {
  const auto budget = Budget::create(2 * kPageBytes);
  const auto page = budget->try_page();
  ASSERT_TRUE(page);
  const auto charge = budget->try_charge(1);
  ASSERT_TRUE(charge);
  EXPECT_FALSE(budget->try_page());
}

TEST(Budget, spare_pages_are_those_of_its_lower_half) {
  const auto budget = Budget::create(4 * kPageBytes);
  const auto first = budget->try_spare_page(), second = budget->try_spare_page();
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(budget->try_spare_page());
  EXPECT_TRUE(budget->try_page());
}

TEST(Budget, a_page_beyond_the_limit_is_granted_counted_and_not_kept) {
  const auto budget = Budget::create(kPageBytes);
  const auto within = budget->try_page();
  {
    const Page beyond = touched(budget->overdraw_page());
    EXPECT_EQ(budget->statistics().overdraft, kPageBytes);
  }
  EXPECT_EQ(budget->statistics().overdraft, 0U);
  EXPECT_EQ(budget->statistics().retained, 0U);
}

TEST(Budget, a_budget_of_nothing_still_lends_a_page_over_the_limit) {
  const auto budget = Budget::create(0);
  EXPECT_FALSE(budget->try_page());
  EXPECT_TRUE(touched(budget->overdraw_page()));
}

TEST(Budget, a_returned_page_stays_resident_is_counted_and_is_the_next_one_lent) {
  const auto budget = Budget::create(4 * kPageBytes);
  const std::byte* place = nullptr;
  {
    Page page = touched(*budget->try_page());
    place = page.bytes().data();
  }
  EXPECT_EQ(budget->statistics().retained, kPageBytes);
  EXPECT_EQ(budget->statistics().used, kPageBytes);
  EXPECT_EQ(resident_bytes(place), kPageBytes);
  EXPECT_EQ(budget->try_page()->bytes().data(), place);
}

TEST(Budget, kept_pages_never_stand_in_the_way_of_a_charge) {
  const auto budget = Budget::create(2 * kPageBytes);
  const std::byte* place = nullptr;
  {
    Page page = touched(*budget->try_page());
    place = page.bytes().data();
  }
  const auto charge = budget->try_charge(2 * kPageBytes);
  ASSERT_TRUE(charge);
  EXPECT_EQ(budget->statistics().used, 2 * kPageBytes);
  EXPECT_EQ(budget->statistics().retained, 0U);
  EXPECT_EQ(resident_bytes(place), 0U);
}

TEST(Budget, a_page_that_comes_home_to_a_full_budget_is_not_kept) {
  const auto budget = Budget::create(kPageBytes);
  std::optional<Page> page = budget->try_page();
  const Charge over = budget->overdraw(3 * kPageBytes);
  page.reset();
  EXPECT_EQ(budget->statistics().retained, 0U);
  EXPECT_EQ(budget->statistics().used, 3 * kPageBytes);
}

TEST(Budget, pages_idle_for_five_seconds_go_back_to_the_system) {
  const auto clock = std::make_shared<ManualClock>();
  const auto budget = Budget::create(4 * kPageBytes, clock);
  const std::byte* place = nullptr;
  {
    Page page = touched(*budget->try_page());
    place = page.bytes().data();
  }
  clock->advance(seconds{5} - std::chrono::nanoseconds{1});
  budget->trim();
  EXPECT_EQ(resident_bytes(place), kPageBytes);
  clock->advance(std::chrono::nanoseconds{1});
  budget->trim();
  EXPECT_EQ(resident_bytes(place), 0U);
  EXPECT_EQ(budget->statistics().retained, 0U);
  EXPECT_EQ(budget->statistics().used, 0U);
}

TEST(Budget, page_traffic_trims_what_it_does_not_use) {
  const auto clock = std::make_shared<ManualClock>();
  const auto budget = Budget::create(8 * kPageBytes, clock);
  {
    std::vector<Page> pages;
    for (int i = 0; i < 6; ++i) pages.push_back(touched(*budget->try_page()));
  }
  EXPECT_EQ(budget->statistics().retained, 6 * kPageBytes);
  clock->advance(seconds{3});
  {
    const auto again = budget->try_page();
  }
  clock->advance(seconds{3});
  {
    const auto again = budget->try_page();
  }
  EXPECT_EQ(budget->statistics().retained, kPageBytes);
}

TEST(Budget, a_trimmed_page_is_lent_again) {
  const auto clock = std::make_shared<ManualClock>();
  const auto budget = Budget::create(kPageBytes, clock);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(touched(*budget->try_page()));
    clock->advance(seconds{10});
    budget->trim();
  }
  EXPECT_EQ(budget->statistics().peak, kPageBytes);
}

TEST(Budget, outlives_its_last_owner_while_a_page_is_out) {
  auto budget = Budget::create(kPageBytes);
  const Page page = touched(*budget->try_page());
  budget.reset();
  EXPECT_EQ(page.bytes()[0], std::byte{1});
}

TEST(Budget, the_process_default_can_be_replaced_and_is_never_null) {
  const auto former = Budget::process_default();
  EXPECT_EQ(former->statistics().limit, kDefaultBudgetBytes);
  const auto mine = Budget::create(123);
  Budget::set_process_default(mine);
  EXPECT_EQ(Budget::process_default(), mine);
  Budget::set_process_default(nullptr);
  EXPECT_TRUE(Budget::process_default());
  Budget::set_process_default(former);
}

TEST(Budget, holds_its_limit_and_its_account_under_many_threads) {
  const auto budget = Budget::create(6 * kPageBytes);
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed) {
      threads.emplace_back([&budget, seed] {
        std::mt19937 random{seed};
        for (int i = 0; i < 2'000; ++i) {
          const auto charge = budget->try_charge(random() % (2 * kPageBytes));
          auto page = budget->try_page();
          if (page) page->bytes()[random() % kPageBytes] = std::byte{1};
          if (i % 100 == 0) budget->trim();
        }
      });
    }
  }
  const auto statistics = budget->statistics();
  EXPECT_LE(statistics.peak, statistics.limit);
  EXPECT_EQ(statistics.used, statistics.retained);
  EXPECT_TRUE(budget->try_charge(statistics.limit));
}

TEST(Budget, a_forked_child_has_all_of_its_limit_and_what_it_inherited_counts_nowhere) {
  const auto budget = Budget::create(3 * kPageBytes);
  std::optional<Page> page = touched(*budget->try_page());
  Page beyond = budget->overdraw_page();
  std::optional<Charge> charge = budget->try_charge(kPageBytes);
  const test::ChildEnd child = test::in_child([&] {
    if (budget->statistics().used != 0) return 1;
    const auto own = budget->try_charge(2 * kPageBytes);
    if (!own || !budget->try_page()) return 2;
    if (page->bytes()[0] != std::byte{1}) return 3;  // still there to be read
    page.reset();
    charge.reset();
    beyond = Page{};
    return budget->statistics().used == 3 * kPageBytes ? 0 : 4;  // a page of its own is kept for the next
  });
  EXPECT_EQ(child.code, 0);
  EXPECT_EQ(budget->statistics().used, 3 * kPageBytes);
}

TEST(Budget, a_fork_while_other_threads_take_pages_hangs_no_child) {
  const auto budget = Budget::create(8 * kPageBytes);
  std::vector<std::jthread> threads;
  for (int n = 0; n < 2; ++n)
    threads.emplace_back([&budget](const std::stop_token& stop) {
      while (!stop.stop_requested()) static_cast<void>(budget->try_page());
    });
  for (int n = 0; n < 200; ++n) {
    const test::ChildEnd child = test::in_child([&] { return budget->try_page() ? 0 : 1; }, 30);
    ASSERT_TRUE(child.in_time) << "fork " << n;
    ASSERT_EQ(child.code, 0) << "fork " << n;
  }
}

}  // namespace
}  // namespace penstock
