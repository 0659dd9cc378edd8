#include "penstock/aws/shell_split.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::aws {
namespace {

using Words = std::vector<std::string>;

// Expected words: Python 3.11, shlex.split.
TEST(ShellSplit, splits_as_shlex_does) {
  const std::pair<std::string, Words> cases[] = {
      {"", {}},
      {"  \t\r\n ", {}},
      {"a b\tc\nd", {"a", "b", "c", "d"}},
      {"/opt/x --flag='two words' \"and three\"", {"/opt/x", "--flag=two words", "and three"}},
      {"a'b'\"c\"d", {"abcd"}},
      {"'' \"\"", {"", ""}},
      {R"(a\ b \'c\" \\)", {"a b", "'c\"", "\\"}},
      {R"('a\b' "a\b" "a\"b" "a\\b" "a\$b")", {"a\\b", "a\\b", "a\"b", "a\\b", "a\\$b"}},
      {"$HOME ~ * # not a comment", {"$HOME", "~", "*", "#", "not", "a", "comment"}},
      {"sh -c 'a; b | c'", {"sh", "-c", "a; b | c"}},
      {"\xc3\xa9 \xe1\x88\xb4", {"\xc3\xa9", "\xe1\x88\xb4"}},
  };
  for (const auto& [line, words] : cases) EXPECT_EQ(shell_split(line), words) << line;
}

TEST(ShellSplit, refuses_what_does_not_end_and_quotes_none_of_it) {
  for (const auto* line : {"a 'canary", "a \"canary", "canary\\", "\"canary\\\"", "'"}) {
    const auto error = test::error_of([&] { shell_split(line); });
    EXPECT_EQ(error.kind(), Kind::refused) << line;
    EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace penstock::aws
