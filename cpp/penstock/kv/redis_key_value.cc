#include "penstock/kv/redis_key_value.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/hide.h"
#include "penstock/base/wait.h"
#include "penstock/kv/glob.h"
#include "penstock/kv/ordered_scan.h"
#include "penstock/kv/redis_pool.h"

namespace penstock::kv {
namespace {

using Type = RedisReply::Type;
using Words = std::vector<std::string_view>;

constexpr std::uint64_t kShortAnswer = 64 * 1024;
constexpr std::uint64_t kValueAnswer = kMaxValueBytes + kShortAnswer;
constexpr std::size_t kGetPage = 64;
constexpr std::string_view kScanCount = "256";

RedisConfig checked(RedisConfig config) {
  const auto refuse = [](std::string_view why) {
    throw Error{Kind::refused, fmt::format("Redis cannot be reached so: {}", why)};
  };
  if (config.host.empty() || config.host.find('\0') != std::string::npos) refuse("the host has no name");
  if (config.port == 0) refuse("port is 1 to 65535");
  if (config.db < 0) refuse("db is 0 or more");
  if (config.timeout.count() <= 0) refuse("timeout is more than nothing");
  if (config.max_connections < 1 || config.max_connections > 10'000) refuse("max_connections is 1 to 10,000");
  return config;
}

// What keys from `start` up to `end` have in common at their beginning.
std::string common_prefix(std::string_view start, const std::optional<std::string>& end) {
  if (!end) return {};
  const auto differ = std::ranges::mismatch(start, *end);
  return {start.begin(), differ.in1};
}

}  // namespace

class RedisKeyValue::State {
 public:
  enum class Repeat { once_more, never };

  explicit State(RedisConfig config) : pool_(std::move(config)) {
    const RedisConfig& made = pool_.config();
    const bool bare = made.host.find(':') == std::string::npos;
    place_ = bare ? fmt::format("{}:{}", made.host, made.port) : fmt::format("[{}]:{}", made.host, made.port);
    if (!made.password.empty()) secrets_.push_back(made.password);
  }

  std::string location() const {
    const RedisConfig& config = pool_.config();
    return fmt::format("{}://{}/{}", config.tls ? "rediss" : "redis", place_, config.db);
  }
  void close() { pool_.close_idle(); }

  RedisReply ask(const Words& words, Type type, std::uint64_t max_bytes, const Call& call,
                 Repeat repeat = Repeat::once_more) {
    for (int attempt = 1;; ++attempt) {
      try {
        base::check(call, "ask Redis");
        auto connection = pool_.take(attempt > 1, call);
        const bool last = repeat == Repeat::never || attempt > 1;
        if (auto reply = try_ask(*connection, words, max_bytes, call, last)) {
          const bool absent = reply->type == Type::nil && type == Type::text;
          if (reply->type != type && !absent) throw unexpected();
          return std::move(*reply);
        }
      } catch (const Error& error) {
        throw told(error, words.front(), attempt);
      }
    }
  }

  // An answer that cannot be.
  [[noreturn]] void refuse_answer(std::string_view command) const { throw told(unexpected(), command, 1); }

 private:
  static Error unexpected() {
    return {Kind::corrupt, "the answer is not what Redis says", {.code = "protocol"}};
  }

  // Null: the connection broke, and the command may be asked again.
  static std::optional<RedisReply> try_ask(RedisConnection& connection, const Words& words,
                                           std::uint64_t max_bytes, const Call& call, bool last) {
    try {
      return connection.ask(words, max_bytes, call);
    } catch (const Error& error) {
      if (last || error.kind() != Kind::lost || error.facts().code != kClosed) throw;
      return std::nullopt;
    }
  }

  Error told(const Error& error, std::string_view command, int attempts) const {
    Facts facts = error.facts();
    facts.doing = command;
    facts.subject = location();
    facts.attempts = attempts;
    const bool by_the_call = error.kind() == Kind::cancelled || facts.code == code::kDeadline;
    std::string message = by_the_call
                              ? error.message()
                              : fmt::format("Redis failed: {} at {}: {}", command, place_, error.message());
    return hide(Error{error.kind(), std::move(message), std::move(facts)}, secrets_);
  }

  RedisPool pool_;
  std::string place_;
  std::vector<std::string> secrets_;
};

// A page of keys at a time; "0" is the cursor of the first and of the end.
class RedisKeyValue::Scan : public KeyScan {
 public:
  Scan(std::shared_ptr<State> state, std::string pattern, Call call)
      : state_(std::move(state)), pattern_(std::move(pattern)), call_(std::move(call)) {}

  std::optional<std::string> next() override {
    while (at_ == page_.size()) {
      if (ended_) return std::nullopt;
      fill();
    }
    return std::move(page_[at_++]->text);
  }

 private:
  void fill() {
    const Words words{"SCAN", cursor_, "MATCH", pattern_, "COUNT", kScanCount};
    RedisReply reply = state_->ask(words, Type::list, kMaxRangeBytes, call_);
    const auto is = [&](std::size_t part, Type type) { return reply.list[part]->type == type; };
    if (reply.list.size() != 2 || !is(0, Type::text) || !is(1, Type::list)) state_->refuse_answer("SCAN");
    std::string cursor = std::move(reply.list[0]->text);
    if (cursor.empty() || cursor.size() > kCursorBytes) state_->refuse_answer("SCAN");
    cursor_ = std::move(cursor);
    ended_ = cursor_ == "0";
    page_ = std::move(reply.list[1]->list);
    at_ = 0;
  }

  static constexpr std::size_t kCursorBytes = 20;  // 64 bits
  std::shared_ptr<State> state_;
  std::string pattern_;
  Call call_;
  std::string cursor_ = "0";
  std::vector<std::unique_ptr<RedisReply>> page_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

RedisKeyValue::RedisKeyValue(RedisConfig config)
    : state_(std::make_shared<State>(checked(std::move(config)))) {}
RedisKeyValue::~RedisKeyValue() = default;

void RedisKeyValue::put(std::string_view key, std::string_view value, Ttl ttl, const Call& call) {
  check_key(key);
  check_value(value);
  if (ttl && ttl->count() <= 0) {
    remove(key, call);
    return;
  }
  const std::string span = ttl ? std::to_string(bounded(*ttl).count()) : std::string{};
  Words words{"SET", key, value};
  if (ttl) words.insert(words.end(), {"PX", span});
  state_->ask(words, Type::status, kShortAnswer, call);
}

std::optional<std::string> RedisKeyValue::get(std::string_view key, const Call& call) {
  check_key(key);
  RedisReply reply = state_->ask({"GET", key}, Type::text, kValueAnswer, call);
  if (reply.type == Type::nil) return std::nullopt;
  return std::move(reply.text);
}

bool RedisKeyValue::remove(std::string_view key, const Call& call) {
  check_key(key);
  return state_->ask({"DEL", key}, Type::integer, kShortAnswer, call).integer != 0;
}

bool RedisKeyValue::exists(std::string_view key, const Call& call) {
  check_key(key);
  return state_->ask({"EXISTS", key}, Type::integer, kShortAnswer, call).integer != 0;
}

// The first `most` keys from `start` up to `end`, whatever the order they come in.
std::set<std::string> RedisKeyValue::first_keys(std::string_view start, const std::optional<std::string>& end,
                                                std::size_t most, const Call& call) {
  std::set<std::string> first;
  std::uint64_t bytes = 0;
  Scan scan{state_, escape_glob(common_prefix(start, end)) + "*", call};
  while (auto key = scan.next()) {
    if (*key < start || (end && *key >= *end)) continue;
    if (first.size() == most && *key > *first.rbegin()) continue;
    const std::size_t size = key->size();
    if (!first.insert(std::move(*key)).second) continue;
    bytes += size;
    if (first.size() > most) {
      bytes -= first.rbegin()->size();
      first.erase(std::prev(first.end()));
    }
    if (bytes > kMaxRangeBytes) refuse_large_range();
  }
  return first;
}

// Keys that were removed meanwhile, or hold something else than a value, are passed over.
void RedisKeyValue::gather(std::span<const std::string> keys, Gathered& gathered, const Call& call) {
  Words words{"MGET"};
  words.insert(words.end(), keys.begin(), keys.end());
  try {
    RedisReply reply = state_->ask(words, Type::list, gathered.room() + kShortAnswer, call);
    if (reply.list.size() != keys.size()) state_->refuse_answer("MGET");
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (reply.list[i]->type == Type::text) gathered.add(keys[i], reply.list[i]->text);
  } catch (const Error& error) {
    if (error.facts().code == code::kTooLarge) refuse_large_range();
    throw;
  }
}

std::vector<Entry> RedisKeyValue::range(std::string_view start, const RangeOptions& options,
                                        const Call& call) {
  check_range(start, options);
  Gathered gathered{options};
  std::string from{start};
  while (!gathered.full()) {
    const std::size_t wanted = gathered.wanted();
    const auto first = first_keys(from, options.end, wanted, call);
    const std::vector<std::string> keys{first.begin(), first.end()};
    for (std::size_t at = 0; at < keys.size(); at += kGetPage)
      gather(std::span{keys}.subspan(at, std::min(kGetPage, keys.size() - at)), gathered, call);
    if (keys.size() < wanted) break;
    from = after(keys.back());
  }
  return gathered.take();
}

std::unique_ptr<KeyScan> RedisKeyValue::scan(std::string_view pattern, const Call& call) {
  check_pattern(pattern);
  return std::make_unique<Scan>(state_, std::string{pattern}, call);
}

std::uint64_t RedisKeyValue::count(const Call& call) {
  return static_cast<std::uint64_t>(state_->ask({"DBSIZE"}, Type::integer, kShortAnswer, call).integer);
}

void RedisKeyValue::clear(const Call& call) {
  state_->ask({"FLUSHDB"}, Type::status, kShortAnswer, call, State::Repeat::never);
}

void RedisKeyValue::close() {
  state_->close();
}

std::string RedisKeyValue::location() const {
  return state_->location();
}

}  // namespace penstock::kv
