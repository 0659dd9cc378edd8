#include "penstock/http/slots.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

class SlotsTest : public ::testing::Test {
 protected:
  struct One : Slots::Waiter {
    One(std::string given, std::vector<std::string>& granted_) : name(std::move(given)), granted(granted_) {}
    virtual ~One() = default;
    void slot_granted() override { granted.push_back(name); }
    std::string name;
    std::vector<std::string>& granted;
  };
  using Names = std::vector<std::string>;

  Names granted;
  One a{"a", granted}, b{"b", granted}, c{"c", granted}, d{"d", granted};
};

TEST_F(SlotsTest, are_given_in_the_order_of_asking) {
  Slots slots{10};
  EXPECT_TRUE(slots.take("h", 1, a));
  EXPECT_FALSE(slots.take("h", 1, b));
  EXPECT_FALSE(slots.take("h", 1, c));
  EXPECT_TRUE(slots.take("other", 1, d));
  EXPECT_EQ(slots.waiting("h"), 2);
  slots.release("h", 1);
  EXPECT_EQ(granted, Names{"b"});
  slots.leave("h", c);
  slots.release("h", 1);
  EXPECT_EQ(granted, Names{"b"});
}

TEST_F(SlotsTest, are_given_across_hosts_to_whoever_may_go) {
  Slots slots{2};
  EXPECT_TRUE(slots.take("x", 1, a));
  EXPECT_TRUE(slots.take("y", 1, b));
  EXPECT_FALSE(slots.take("x", 1, c));
  EXPECT_FALSE(slots.take("z", 1, d));
  slots.release("y", 1);
  EXPECT_EQ(granted, Names{"d"}) << "c came first, but its host is full";
  slots.release("x", 1);
  EXPECT_EQ(granted, (Names{"d", "c"}));
}

TEST_F(SlotsTest, are_limited_in_all) {
  Slots slots{1};
  EXPECT_TRUE(slots.take("h", 5, a));
  EXPECT_FALSE(slots.take("other", 5, b));
  EXPECT_FALSE(slots.take("h", 5, c));
  slots.release("h", 5);
  EXPECT_EQ(granted, Names{"b"});
  slots.release("other", 5);
  EXPECT_EQ(granted, (Names{"b", "c"}));
}

TEST_F(SlotsTest, of_a_higher_limit_are_not_held_up_by_a_lower_one) {
  Slots slots{10};
  EXPECT_TRUE(slots.take("h", 1, a));
  EXPECT_FALSE(slots.take("h", 1, b));
  EXPECT_TRUE(slots.take("h", 3, c));
  EXPECT_TRUE(slots.take("h", 3, d));
  One e{"e", granted};
  EXPECT_FALSE(slots.take("h", 3, e));
  slots.release("h", 3);
  EXPECT_EQ(granted, Names{"e"});
}

TEST_F(SlotsTest, of_a_lower_limit_are_not_held_up_by_a_higher_one) {
  Slots slots{10};
  EXPECT_TRUE(slots.take("h", 2, a));
  EXPECT_TRUE(slots.take("h", 2, b));
  EXPECT_TRUE(slots.take("h", 1, c));
  EXPECT_FALSE(slots.take("h", 1, d));
  slots.release("h", 1);
  EXPECT_EQ(granted, Names{"d"});
}

}  // namespace
}  // namespace penstock::http
