#include "penstock/http/headers.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_from;

TEST(Headers, keep_their_order_and_compare_names_without_case) {
  Headers headers{{"ETag", "\"a\""}, {"Set-Cookie", "x"}, {"set-COOKIE", "y"}};
  EXPECT_EQ(headers.get("etag"), "\"a\"");
  EXPECT_EQ(headers.all("Set-Cookie"), (std::vector<std::string_view>{"x", "y"}));
  EXPECT_EQ(headers.find("Absent"), std::nullopt);
  EXPECT_EQ(headers.get("Absent"), "");
}

TEST(Headers, set_replaces_all_of_a_name) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("A", "4");
  EXPECT_EQ(headers.all("a"), (std::vector<std::string_view>{"4"}));
  EXPECT_EQ(headers.size(), 2u);
}

TEST(CheckHeader, takes_every_token_and_every_printable_value) {
  EXPECT_NO_THROW(check_header("X-Amz-Meta-!#$%&'*+-.^_`|~09", "tab\t, \"quotes\" and \xc3\xa9"));
  EXPECT_NO_THROW(check_header("a", ""));
}

TEST(CheckHeader, refuses_every_name_that_is_no_token) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool token = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(byte) != std::string_view::npos);
    EXPECT_EQ(error_from([&] { check_header(std::string("X") + byte, "v"); }).has_value(), !token) << c;
  }
  EXPECT_EQ(error_from([] { check_header("", "v"); })->kind(), Kind::refused);
}

TEST(CheckHeader, refuses_every_control_character_in_a_value) {
  for (int c = 0; c < 256; ++c) {
    const bool control = (c < 32 && c != '\t') || c == 127;
    const std::string value = std::string("a") + static_cast<char>(c) + "b";
    EXPECT_EQ(error_from([&] { check_header("X", value); }).has_value(), control) << c;
  }
}

TEST(CheckHeader, names_the_header_but_never_its_value) {
  const auto error = error_from([] { check_header("X-Key", "hunter2\r\nEvil: 1"); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind(), Kind::refused);
  EXPECT_NE(error->message().find("X-Key"), std::string::npos);
  EXPECT_EQ(error->message().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace penstock::http
