// What Redis answers is one reply or none, the same however it is cut; a command is read back as its words.
#include <string>
#include <vector>

#include "penstock/kv/redis_reply.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;
using kv::RedisReply;

namespace {

constexpr std::uint64_t kMostBytes = 1 << 16;

std::string text_of(const RedisReply& reply) {
  std::string text = std::to_string(static_cast<int>(reply.type)) + ":" + std::to_string(reply.integer) +
                     ":" + std::to_string(reply.text.size()) + ":" + reply.text + "[";
  for (const auto& each : reply.list) text += text_of(*each);
  return text + "]";
}

struct Answer {
  std::string reply;      // "" for none
  std::size_t bytes = 0;  // that made it
  bool good = true;
};

// In pieces of `step` bytes, until there is a reply.
Answer read(std::string_view text, std::size_t step) {
  kv::RedisReader reader{kMostBytes};
  Answer answer;
  answer.good = fuzz::parsed([&] {
                  while (answer.reply.empty() && answer.bytes < text.size()) {
                    const std::string_view piece = text.substr(answer.bytes, step);
                    const auto reply = reader.take(as_bytes(piece));
                    answer.bytes += piece.size();
                    if (reply) answer.reply = text_of(*reply);
                  }
                  return true;
                }).has_value();
  return answer;
}

void check_command(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= text.size() && words.size() < 50;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  const std::string command = kv::redis_command(words);
  kv::RedisReader reader{command.size()};
  const auto reply = reader.take(as_bytes(command));
  claim(reply && reply->type == RedisReply::Type::list && reply->list.size() == words.size(),
        "a command is a list of its words");
  for (std::size_t i = 0; i < words.size(); ++i)
    claim(reply->list[i]->type == RedisReply::Type::text && reply->list[i]->text == words[i], "word by word");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const Answer slow = read(text, 1), whole = read(text, std::max<std::size_t>(size, 1));
  if (slow.reply.empty() || slow.bytes == size) {
    claim(slow.good == whole.good && slow.reply == whole.reply, "cut otherwise it says the same");
  } else {
    claim(!whole.good, "nothing may follow a reply");
    claim(read(text.substr(0, slow.bytes), size).reply == slow.reply, "without it, it is the same reply");
  }
  check_command(text);
  return 0;
}
