// Whatever the bytes, a tar gives names that stay in their folder and sizes that hold, or says no; and it
// says the same however the bytes are cut.
#include <string>
#include <vector>

#include "penstock/codecs/tar_reader.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

// The names of all entries, or nullopt if it says no; of every second one, or of all, the content too.
std::optional<std::vector<std::string>> entries(const std::string& text, std::size_t step, bool all,
                                                std::string& contents) {
  MemorySource whole{as_bytes(text)};
  SlowSource slow{whole, step};
  codecs::TarReader tar{slow, {.total_bytes = 1 << 16, .entries = 100}};
  return fuzz::parsed([&] {
    std::vector<std::string> names;
    while (const codecs::Entry* entry = tar.next()) {
      claim(!fuzz::leads_out(entry->name), "a name stays in its folder");
      claim(entry->bytes.has_value() == (entry->type == codecs::Entry::Type::file),
            "a file alone has a size");
      names.push_back(entry->name);
      if (!all && names.size() % 2 == 0) continue;
      const std::size_t before = contents.size();
      std::byte some[333];
      while (const std::size_t got = tar.content().read(some)) contents += as_text(Bytes{some}.first(got));
      claim(contents.size() - before == entry->bytes.value_or(0), "an entry is as long as it says");
    }
    claim(tar.next() == nullptr, "an end stays an end");
    return names;
  });
}

// A right sum in every block that is not zeros: the fuzzer would look for one for ever.
void sum_up(std::string& text) {
  for (std::size_t at = 0; at + 512 <= text.size(); at += 512) {
    if (text.find_first_not_of('\0', at) >= at + 512) continue;
    text.replace(at + 148, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = at; i < at + 512; ++i) sum += static_cast<unsigned char>(text[i]);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    text.replace(at + 148, 7, digits, 7);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text{fuzz::text_of(data, size).substr(1)};
  if (data[0] & 2) sum_up(text);
  std::string contents, cut, some;
  const auto read = entries(text, 1 << 16, true, contents);
  claim(entries(text, 7, true, cut) == read && cut == contents, "cut otherwise it says the same");
  claim(entries(text, 1 << 16, false, some) == read, "read over it says the same");
  return 0;
}
