// What is written as a zip is read back: every name, time and byte; what a reader would refuse is refused.
// Input: a byte for the level, then members: how it is added, how often its content is repeated, the lengths
// of its name and content, a time, and both.
#include <string>
#include <vector>

#include "penstock/codecs/zip_reader.h"
#include "penstock/codecs/zip_writer.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

struct Member {
  std::string name, content;
  std::optional<WallTime> modified;
  std::uint8_t how;
};

class Input {
 public:
  explicit Input(std::string_view text) : text_(text) {}
  bool more() const { return !text_.empty(); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1).empty() ? 0 : last_.front()); }
  std::string_view take(std::size_t bytes) {
    last_ = text_.substr(0, bytes);
    text_.remove_prefix(last_.size());
    return last_;
  }

 private:
  std::string_view text_, last_;
};

// The number before a name keeps names apart: a reader refuses two of one.
Member next_member(Input& input, std::size_t number) {
  Member member;
  member.how = input.byte();
  const std::size_t times = input.byte() + 1U, name_bytes = input.byte(), bytes = input.byte();
  std::int32_t seconds = 0;
  for (int i = 0; i < 4; ++i)
    seconds = static_cast<std::int32_t>(static_cast<std::uint32_t>(seconds) << 8 | input.byte());
  if (seconds != 0) member.modified = WallTime{std::chrono::seconds{seconds}};
  member.name = std::to_string(number) + "/" + std::string{input.take(name_bytes)};
  const std::string once{input.take(bytes)};
  for (std::size_t i = 0; i < times; ++i) member.content += once;
  return member;
}

std::string packed_whole(codecs::ZipPacker& packer) {
  std::string all;
  std::byte some[500];
  while (const std::size_t got = packer.read(some)) all += as_text(Bytes{some}.first(got));
  return all;
}

void write(codecs::ZipWriter& writer, const Member& member, int level) {
  const codecs::ZipWriter::Entry entry{.name = member.name, .modified = member.modified};
  MemorySource content{as_bytes(member.content)};
  codecs::ZipPacker packer{content, level};
  switch (member.how % 3) {
    case 0:
      writer.add(entry, content);
      return;
    case 1: {
      const std::string packed = packed_whole(packer);
      writer.append(entry, packer.facts(), as_bytes(packed));
      return;
    }
    default:  // its sizes behind it
      std::byte begun[100];
      const std::size_t got = packer.read(begun);
      writer.append(entry, Bytes{begun}.first(got), packer);
  }
}

void check(const std::string& archive, const std::vector<Member>& members) {
  MemorySource whole{as_bytes(archive)};
  codecs::ZipReader zip{whole, {.ratio = 0}};
  for (const Member& member : members) {
    const codecs::Entry* entry = zip.next();
    claim(entry && entry->name == member.name, "every member is read back under its name");
    claim(!member.modified || entry->modified == member.modified, "with its time");
    claim(!entry->bytes || *entry->bytes == member.content.size(), "and its length");
    std::string content;
    std::byte some[333];
    while (const std::size_t got = zip.content().read(some)) content += as_text(Bytes{some}.first(got));
    claim(content == member.content, "and its bytes");
  }
  claim(zip.next() == nullptr, "and no other");
  claim(zip.special().empty(), "and none is a link");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input{fuzz::text_of(data, size)};
  const int level = input.byte() % 10;
  MemorySink sink;
  codecs::ZipWriter writer{sink, {.level = level}};
  std::vector<Member> members;
  for (std::size_t number = 0; input.more() && number < 20; ++number) {
    Member member = next_member(input, number);
    const auto written = fuzz::parsed([&] { return write(writer, member, level), true; });
    claim(!written || !fuzz::leads_out(member.name), "no name leads out");
    if (written) members.push_back(std::move(member));
  }
  writer.finish();
  claim(writer.entries() == members.size(), "what was refused is not counted");
  check(sink.visible(), members);
  return 0;
}
