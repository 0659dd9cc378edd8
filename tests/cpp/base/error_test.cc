#include "penstock/base/error.h"

#include <set>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Error, says_its_message_and_keeps_its_facts) {
  const Error error{Kind::busy, "wait a little", {.side = Side::source, .doing = "GET", .status = 503}};
  EXPECT_STREQ(error.what(), "wait a little");
  EXPECT_EQ(error.kind(), Kind::busy);
  EXPECT_EQ(error.facts().side, Side::source);
  EXPECT_EQ(error.facts().doing, "GET");
  EXPECT_EQ(error.facts().status, 503);
  EXPECT_EQ(error.facts().code, "");
  EXPECT_FALSE(error.facts().retry_after);
}

TEST(Error, a_layer_adds_facts_while_it_passes) {
  try {
    try {
      throw Error{Kind::lost, "gone", {.doing = "upload part 3"}};
    } catch (Error& error) {
      error.facts().upload_id = "u-7";
      throw;
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.facts().upload_id, "u-7");
    EXPECT_EQ(error.facts().doing, "upload part 3");
  }
}

TEST(Error, keeps_the_first_failure_under_the_last) {
  const auto first = std::make_shared<const Error>(Kind::corrupt, "bad sum");
  const Error last{Kind::lost, "retries are spent", {.attempts = 3, .cause = first}};
  EXPECT_EQ(last.facts().cause->kind(), Kind::corrupt);
}

TEST(Error, every_kind_and_side_has_its_own_name) {
  std::set<std::string_view> names;
  for (const Kind kind : {Kind::missing, Kind::denied, Kind::refused, Kind::conflict, Kind::corrupt,
                          Kind::busy, Kind::lost, Kind::in_doubt, Kind::cancelled}) {
    names.insert(to_string(kind));
  }
  for (const Side side : {Side::none, Side::source, Side::sink}) names.insert(to_string(side));
  EXPECT_EQ(names.size(), 12U);
  EXPECT_EQ(to_string(Kind::in_doubt), "in_doubt");
}

}  // namespace
}  // namespace penstock
