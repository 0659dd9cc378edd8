#include "penstock/kv/redis_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/redact.h"

namespace penstock::kv {
namespace {

constexpr std::uint64_t kShortAnswer = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;

// "WRONGTYPE Operation against ...": the first word, if it is one of capitals.
std::string code_in(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  const bool capitals = std::ranges::all_of(word, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
  return capitals && word.size() <= 32 ? std::string{word} : std::string{};
}

struct Meaning {
  std::string_view code;
  Kind kind;
  std::string_view advice;
};

// Source: the error codes of Redis 7 (server.c, createSharedObjects) and its documentation.
constexpr std::array kMeanings{
    Meaning{"NOAUTH", Kind::denied, "give a password"},
    Meaning{"WRONGPASS", Kind::denied, "check the password"},
    Meaning{"NOPERM", Kind::denied, "this user may not do it"},
    Meaning{"DENIED", Kind::denied, "Redis in protected mode is only reached from its own machine"},
    Meaning{"LOADING", Kind::busy, "it is starting; try again"},
    Meaning{"BUSY", Kind::busy, "a script is running; try again"},
    Meaning{"OOM", Kind::busy, "it has no memory left; make room"},
    Meaning{"MISCONF", Kind::busy, "it cannot save to its disk; see its log"},
    Meaning{"NOREPLICAS", Kind::busy, "too few replicas are there; try again"},
    Meaning{"TRYAGAIN", Kind::busy, "try again"},
    Meaning{"CLUSTERDOWN", Kind::busy, "try again"},
    Meaning{"MASTERDOWN", Kind::lost, "try again, or ask the primary"},
    Meaning{"READONLY", Kind::lost, "it is a replica, perhaps since a failover; ask the primary"},
    Meaning{"MOVED", Kind::refused, "a cluster is not supported"},
    Meaning{"ASK", Kind::refused, "a cluster is not supported"},
    Meaning{"WRONGTYPE", Kind::refused, "the key holds something else than a value"},
};

Error closed() {
  return {Kind::lost, "the server closed the connection", {.code = std::string{kClosed}}};
}

// Of what goes wrong at AUTH only the code is told: Redis may quote the command, and with it the password.
Error not_signed_in(const Error& error) {
  if (error.kind() != Kind::refused && error.kind() != Kind::denied) return error;
  const std::string& code = error.facts().code;
  return {Kind::denied,
          fmt::format("the password is not accepted ({})", code.empty() ? "no code given" : code),
          {.code = code}};
}

}  // namespace

Error redis_error(const RedisReply& reply) {
  const std::string code = code_in(reply.text);
  const std::string words = redact_text(reply.text, 256);
  if (const auto found = std::ranges::find(kMeanings, code, &Meaning::code); found != kMeanings.end())
    return {found->kind, fmt::format("{}; {}", words, found->advice), {.code = code}};
  // These have no code of their own.
  if (reply.text.starts_with("ERR max number of clients reached"))
    return {Kind::busy, fmt::format("{}; try again", words), {.code = code}};
  if (reply.text.starts_with("ERR Protocol error: unauthenticated"))  // of a value over 16 KiB
    return {Kind::denied, fmt::format("{}; give a password", words), {.code = code}};
  return {Kind::refused, words, {.code = code}};
}

RedisConnection::RedisConnection(const RedisConfig& config, const TlsContext* tls, const Call& call)
    : socket_(Socket::connect(config.host, config.port, config.timeout, call)) {
  if (tls) tls_.emplace(*tls, socket_, config.host, call);
  sign_in(config, call);
}

void RedisConnection::sign_in(const RedisConfig& config, const Call& call) {
  if (!config.password.empty()) {
    try {
      const std::array<std::string_view, 2> words{"AUTH", config.password};
      ask(words, kShortAnswer, call);
    } catch (const Error& error) {
      throw usable_ ? not_signed_in(error) : error;
    }
  }
  if (config.db != 0) {
    const std::string number = std::to_string(config.db);
    const std::array<std::string_view, 2> words{"SELECT", number};
    ask(words, kShortAnswer, call);
  }
}

RedisReply RedisConnection::ask(std::span<const std::string_view> words, std::uint64_t max_bytes,
                                const Call& call) {
  usable_ = false;  // until the answer is in: a half-read one would be taken for the next
  try {
    send(redis_command(words), call);
  } catch (const Error& error) {
    // Redis hangs up on what it does not want to hear to its end, and says why before.
    if (error.facts().code != kClosed) throw;
  }
  RedisReply reply = receive(max_bytes, call);
  usable_ = true;
  if (reply.type == RedisReply::Type::error) throw redis_error(reply);
  return reply;
}

void RedisConnection::send(std::string_view bytes, const Call& call) {
  if (tls_) return tls_->write(as_bytes(bytes), call);
  socket_.write(as_bytes(bytes), call);
}

RedisReply RedisConnection::receive(std::uint64_t max_bytes, const Call& call) {
  RedisReader reader{max_bytes};
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kReadBytes);
  const MutableBytes room{buffer.get(), kReadBytes};
  for (;;) {
    const std::size_t got = tls_ ? tls_->read(room, call) : socket_.read(room, call);
    if (got == 0) throw closed();
    if (auto reply = reader.take(room.first(got))) return std::move(*reply);
  }
}

bool RedisConnection::is_quiet() {
  return tls_ ? tls_->is_quiet() : socket_.is_quiet();
}

}  // namespace penstock::kv
