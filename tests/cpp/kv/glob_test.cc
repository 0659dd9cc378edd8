#include "penstock/kv/glob.h"

#include <gtest/gtest.h>

namespace penstock::kv {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  return Glob{pattern}.matches(text);
}

TEST(Glob, a_star_takes_any_run_and_as_much_as_the_rest_leaves) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "any"));
  EXPECT_TRUE(matches("a*b*c", "a1b2b3c"));
  EXPECT_TRUE(matches("*ab", "aab"));
  EXPECT_FALSE(matches("a*b*c", "a1b2"));
  EXPECT_FALSE(matches("a*", "ba"));
}

TEST(Glob, a_question_mark_takes_one_byte) {
  EXPECT_TRUE(matches("?", "x"));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_FALSE(matches("?", "xy"));
  EXPECT_FALSE(matches("?", "\xc3\xa9"));  // a character of two bytes
}

TEST(Glob, a_class_takes_one_of_its_bytes) {
  EXPECT_TRUE(matches("[abc]", "b"));
  EXPECT_TRUE(matches("[a-c]", "b"));
  EXPECT_TRUE(matches("[c-a]", "b"));
  EXPECT_TRUE(matches("[^a-c]", "d"));
  EXPECT_FALSE(matches("[^a-c]", "b"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("[ab", "b"));
  EXPECT_FALSE(matches("[]", "a"));
  EXPECT_TRUE(matches("[^]", "a"));
}

TEST(Glob, a_backslash_takes_the_next_byte_as_it_is) {
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("a\\", "a\\"));
}

TEST(Glob, what_is_escaped_matches_itself_alone) {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every.push_back(static_cast<char>(byte));
  EXPECT_TRUE(matches(escape_glob(every), every));
  EXPECT_EQ(Glob{escape_glob(every)}.prefix(), every);
  EXPECT_FALSE(matches(escape_glob("a*"), "ab"));
}

TEST(Glob, the_prefix_is_what_stands_before_the_first_choice) {
  EXPECT_EQ(Glob{"app:*"}.prefix(), "app:");
  EXPECT_EQ(Glob{"a\\*b?"}.prefix(), "a*b");
  EXPECT_EQ(Glob{"[a]b"}.prefix(), "");
  EXPECT_EQ(Glob{"plain"}.prefix(), "plain");
}

TEST(Glob, a_pattern_made_to_take_for_ever_does_not) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  EXPECT_FALSE(matches(pattern + "b", std::string(4'000, 'a')));
}

}  // namespace
}  // namespace penstock::kv
