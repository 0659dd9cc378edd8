// One connection to Redis: signed in, its database chosen, one command after the other.
//
// Threads:  one at a time, but abandon(), which a forked child calls.
// Failure:  as Socket and TlsStream; Error(denied) if Redis does not accept the password. It is of no further
//           use once something threw.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/kv/redis_key_value.h"
#include "penstock/kv/redis_reply.h"
#include "penstock/kv/socket.h"
#include "penstock/kv/tls.h"

namespace penstock::kv {

class RedisConnection {
 public:
  // `tls` is null without TLS, and otherwise must live as long.
  RedisConnection(const RedisConfig& config, const TlsContext* tls, const Call& call);

  // The answer, which is of at most `max_bytes`. One that is an error is thrown, and leaves the connection as
  // good as it was: see is_usable().
  RedisReply ask(std::span<const std::string_view> words, std::uint64_t max_bytes, const Call& call);

  bool is_usable() const { return usable_; }
  bool is_quiet();  // nobody hung up, and nothing came unasked
  void abandon() noexcept { socket_.abandon(); }

 private:
  void sign_in(const RedisConfig& config, const Call& call);
  void send(std::string_view bytes, const Call& call);
  RedisReply receive(std::uint64_t max_bytes, const Call& call);

  Socket socket_;
  std::optional<TlsStream> tls_;
  bool usable_ = true;
};

// What an error reply means for the caller, by the word it begins with.
Error redis_error(const RedisReply& reply);

}  // namespace penstock::kv
