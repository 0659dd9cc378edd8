// RESP: commands as bytes, bytes as replies, by hiredis. The only code that knows it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/bytes.h"

namespace penstock::kv {

struct RedisReply {
  enum class Type { nil, text, status, error, integer, list };
  Type type = Type::nil;
  std::string text{};  // of text, status, error
  std::int64_t integer = 0;
  std::vector<std::unique_ptr<RedisReply>> list{};
};

// The bytes of a command.
std::string redis_command(std::span<const std::string_view> words);

// Takes bytes until they make one reply.
//
// Memory:   up to `max_bytes` of what came, and the reply made of it; lengths in headers cost nothing until
//           what they announce is there.
// Failure:  Error(corrupt) for what is no RESP; Error(refused, too_large) beyond max_bytes or kMaxElements.
//           It is then of no further use.
class RedisReader {
 public:
  static constexpr std::size_t kMaxElements = 1'000'000;

  explicit RedisReader(std::uint64_t max_bytes);
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  // The reply once it is complete, else null. Error(corrupt) if bytes follow it: nothing was asked for them.
  std::unique_ptr<RedisReply> take(Bytes bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::kv
