// Whatever the bytes, a zip gives names that stay in their folder and sizes that hold, or says no; and it
// says the same however the bytes are cut.
#include <string>
#include <vector>

#include "penstock/codecs/zip_reader.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

// The names and the bytes of all members, or nullopt if it says no.
std::optional<std::vector<std::string>> members(std::string_view text, std::size_t step, bool skip,
                                                std::string& contents) {
  MemorySource whole{as_bytes(text)};
  SlowSource slow{whole, step};
  codecs::ZipReader zip{slow, {.total_bytes = 1 << 16, .entries = 100, .spool_bytes = 1 << 16}};
  return fuzz::parsed([&] {
    std::vector<std::string> all;
    while (const codecs::Entry* entry = zip.next()) {
      claim(!fuzz::leads_out(entry->name), "a name stays in its folder");
      const auto said = entry->bytes;
      all.push_back(entry->name);
      std::string content;
      std::byte some[333];
      while (const std::size_t got = skip ? 0 : zip.content().read(some))
        content += as_text(Bytes{some}.first(got));
      if (!skip) contents += content + '\n';
      claim(skip || !said || content.size() == *said, "an entry is as long as it says");
    }
    claim(zip.next() == nullptr, "an end stays an end");
    for (const auto number : zip.special()) claim(number < all.size(), "what is special is there");
    return all;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  std::string contents, cut, skipped;
  const auto read = members(text, 1 << 16, false, contents);
  claim(members(text, 7, false, cut) == read && cut == contents, "cut otherwise it says the same");
  claim(members(text, 1 << 16, true, skipped) == read, "read over it says the same");
  return 0;
}
