#include "penstock/base/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "penstock/base/error.h"

namespace penstock {
namespace {

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, a_document_is_read) {
  const auto value = parse_json(R"({"Version": 1, "AccessKeyId": "AKIA", "list": [1, 2.5, null, true]})");
  EXPECT_EQ(value.at("Version"), 1);
  EXPECT_EQ(value.at("list").size(), 4U);
}

TEST(Json, nesting_up_to_the_limit_is_read_and_one_more_is_corrupt) {
  EXPECT_NO_THROW(parse_json(nested(32)));
  EXPECT_THROW(parse_json(nested(33)), Error);
  EXPECT_THROW(parse_json(std::string(1'000'000, '[')), Error);
  EXPECT_NO_THROW(parse_json(nested(3), 3));
}

TEST(Json, brackets_inside_strings_do_not_nest) {
  EXPECT_EQ(parse_json(R"(["[[[[", "\"[[[[", "\\"])", 1).size(), 3U);
}

TEST(Json, a_document_over_the_size_limit_is_corrupt) {
  EXPECT_NO_THROW(parse_json(R"("12345678")", 32, 10));
  EXPECT_THROW(parse_json(R"("123456789")", 32, 10), Error);
}

TEST(Json, what_is_not_json_is_corrupt_and_quoted_nowhere) {
  for (const char* text : {"", "{", "{\"canary\": }", "canary", "{} canary", "[1,]", "{\"canary\": \"\x80\"}",
                           "NaN", "'canary'", "// canary\n1", "1e999", "]", "[}"}) {
    try {
      parse_json(text);
      ADD_FAILURE() << "was read: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::corrupt) << text;
      EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace penstock
