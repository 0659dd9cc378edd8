#include "penstock/kv/redis_reply.h"

#include <array>

#include <gtest/gtest.h>

#include "penstock/base/error.h"

#include "support/errors.h"

namespace penstock::kv {
namespace {

using test::error_of;
using Type = RedisReply::Type;

std::unique_ptr<RedisReply> read(std::string_view bytes, std::uint64_t most = 1 << 20) {
  return RedisReader{most}.take(as_bytes(bytes));
}

TEST(RedisReply, every_type_is_read) {
  EXPECT_EQ(read("+OK\r\n")->text, "OK");
  EXPECT_EQ(read("+OK\r\n")->type, Type::status);
  EXPECT_EQ(read("-ERR no\r\n")->type, Type::error);
  EXPECT_EQ(read(":-7\r\n")->integer, -7);
  EXPECT_EQ(read("$-1\r\n")->type, Type::nil);
}

TEST(RedisReply, text_may_hold_any_byte) {
  const std::string bytes("$4\r\na\0\r\n\r\n", 10);
  EXPECT_EQ(read(bytes)->text, std::string("a\0\r\n", 4));
}

TEST(RedisReply, lists_nest) {
  const auto reply = read("*3\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$-1\r\n*0\r\n");
  ASSERT_EQ(reply->list.size(), 3U);
  EXPECT_EQ(reply->list[0]->text, "0");
  ASSERT_EQ(reply->list[1]->list.size(), 2U);
  EXPECT_EQ(reply->list[1]->list[0]->text, "a");
  EXPECT_EQ(reply->list[1]->list[1]->type, Type::nil);
  EXPECT_EQ(reply->list[2]->type, Type::list);
}

TEST(RedisReply, a_reply_may_come_a_byte_at_a_time) {
  RedisReader reader{1000};
  const std::string_view bytes = "*2\r\n$3\r\nabc\r\n:12\r\n";
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i)
    ASSERT_EQ(reader.take(as_bytes(bytes.substr(i, 1))), nullptr);
  const auto reply = reader.take(as_bytes(bytes.substr(bytes.size() - 1)));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->list[0]->text, "abc");
  EXPECT_EQ(reply->list[1]->integer, 12);
}

TEST(RedisReply, what_is_no_resp_is_corrupt) {
  for (const char* bytes :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", ":12a\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n", "\r\n",
        "*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n*9\r\n", "+OK\r\n+OK\r\n"})
    EXPECT_EQ(error_of([&] { read(bytes); }).kind(), Kind::corrupt) << bytes;
}

TEST(RedisReply, lengths_that_lie_cost_nothing) {
  for (const char* bytes :
       {"*2147483647\r\n", "*1000000000\r\n:1\r\n", "$9000000000000000000\r\n", "$500000000\r\nab"})
    EXPECT_EQ(read(bytes), nullptr) << bytes;
  EXPECT_EQ(error_of([&] { read("*99999999999999999999\r\n"); }).kind(), Kind::corrupt);
}

TEST(RedisReply, more_bytes_than_may_be_are_refused) {
  RedisReader reader{1000};
  EXPECT_EQ(reader.take(as_bytes("$5000\r\n")), nullptr);
  const std::string some(600, 'v');
  EXPECT_EQ(reader.take(as_bytes(some)), nullptr);
  const Error error = error_of([&] { reader.take(as_bytes(some)); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

TEST(RedisReply, more_elements_than_may_be_are_refused) {
  std::string bytes = "*1100000\r\n";
  for (int i = 0; i < 1'100'000; ++i) bytes += ":1\r\n";
  const Error error = error_of([&] { read(bytes, 10 << 20); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

TEST(RedisReply, a_command_is_its_words_with_their_lengths) {
  const std::array<std::string_view, 3> words{"SET", "", std::string_view("a\0b", 3)};
  EXPECT_EQ(redis_command(words), std::string("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\na\0b\r\n", 28));
}

}  // namespace
}  // namespace penstock::kv
