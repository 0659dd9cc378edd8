#include "penstock/kv/redis_reply.h"

#include <new>
#include <utility>

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include "penstock/base/error.h"

namespace penstock::kv {
namespace {

// What hiredis builds a reply through. Its own functions would allocate a list as long as its header claims.
struct Building {
  std::size_t elements = 0;
  bool too_many = false;
};

// Null makes hiredis give up: exceptions must not pass through it.
RedisReply* placed(const redisReadTask* task, RedisReply made) noexcept {
  auto& building = *static_cast<Building*>(task->privdata);
  if (++building.elements > RedisReader::kMaxElements) {
    building.too_many = true;
    return nullptr;
  }
  try {
    auto owned = std::make_unique<RedisReply>(std::move(made));
    RedisReply* const reply = owned.get();
    if (!task->parent) return owned.release();  // hiredis holds the root and gives it back
    static_cast<RedisReply*>(task->parent->obj)->list.push_back(std::move(owned));
    return reply;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  RedisReply made{.type = RedisReply::Type::text};
  if (task->type == REDIS_REPLY_ERROR) made.type = RedisReply::Type::error;
  if (task->type == REDIS_REPLY_STATUS) made.type = RedisReply::Type::status;
  try {
    made.text.assign(text, size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return placed(task, std::move(made));
}
void* make_list(const redisReadTask* task, int) {
  return placed(task, {.type = RedisReply::Type::list});
}
void* make_integer(const redisReadTask* task, long long value) {
  return placed(task, {.type = RedisReply::Type::integer, .integer = value});
}
void* make_nil(const redisReadTask* task) {
  return placed(task, {});
}
void free_root(void* reply) {
  delete static_cast<RedisReply*>(reply);
}

redisReplyObjectFunctions functions{.createString = &make_text,
                                    .createArray = &make_list,
                                    .createInteger = &make_integer,
                                    .createNil = &make_nil,
                                    .freeObject = &free_root};

Error no_resp(std::string_view what) {
  return {Kind::corrupt, fmt::format("the answer is not what Redis speaks: {}", what), {.code = "protocol"}};
}

struct FreeReader {
  void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
};

}  // namespace

std::string redis_command(std::span<const std::string_view> words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : words) {
    starts.push_back(word.empty() ? "" : word.data());
    sizes.push_back(word.size());
  }
  char* made = nullptr;
  const int size = redisFormatCommandArgv(&made, static_cast<int>(words.size()), starts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc{};
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owned{made, &redisFreeCommand};
  return {made, static_cast<std::size_t>(size)};
}

struct RedisReader::State {
  Building building;
  std::unique_ptr<redisReader, FreeReader> reader{redisReaderCreateWithFunctions(&functions)};
  std::uint64_t room;

  explicit State(std::uint64_t max_bytes) : room(max_bytes) {
    if (!reader) throw std::bad_alloc{};
    reader->privdata = &building;
  }
  bool is_behind() const { return reader->pos < reader->len; }
};

RedisReader::RedisReader(std::uint64_t max_bytes) : state_(std::make_unique<State>(max_bytes)) {}
RedisReader::~RedisReader() = default;

std::unique_ptr<RedisReply> RedisReader::take(Bytes bytes) {
  if (bytes.size() > state_->room)
    throw Error{Kind::refused, "the answer is larger than it may be", {.code = std::string{code::kTooLarge}}};
  state_->room -= bytes.size();
  redisReader* const reader = state_->reader.get();
  void* root = nullptr;
  redisReaderFeed(reader, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (redisReaderGetReply(reader, &root) != REDIS_OK || reader->err != 0) {
    if (state_->building.too_many)
      throw Error{Kind::refused,
                  fmt::format("the answer has more than {} elements", kMaxElements),
                  {.code = std::string{code::kTooLarge}}};
    if (reader->err == REDIS_ERR_OOM) throw std::bad_alloc{};
    throw no_resp(static_cast<const char*>(reader->errstr));
  }
  std::unique_ptr<RedisReply> reply{static_cast<RedisReply*>(root)};
  if (reply && state_->is_behind()) throw no_resp("it goes on behind its end");
  return reply;
}

}  // namespace penstock::kv
