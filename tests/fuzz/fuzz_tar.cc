// Whatever the bytes, a tar gives names that stay in their folder and sizes that hold, or says no.
#include <string>

#include "penstock/codecs/tar_reader.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

void read_entry(codecs::TarReader& tar, const codecs::Entry& entry, bool whole) {
  claim(!fuzz::leads_out(entry.name), "a name stays in its folder");
  claim(entry.bytes.has_value() == (entry.type == codecs::Entry::Type::file), "a file alone has a size");
  std::uint64_t total = 0;
  std::byte some[333];
  while (const std::size_t got = whole ? tar.content().read(some) : 0) total += got;
  claim(!whole || total == entry.bytes.value_or(0), "an entry is as long as it says");
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
  MemorySource whole{as_bytes(text)};
  codecs::TarReader tar{whole, {.total_bytes = 1 << 16, .entries = 100}};
  fuzz::parsed([&] {
    for (bool wanted = data[0] % 2 == 1; const codecs::Entry* entry = tar.next(); wanted = !wanted)
      read_entry(tar, *entry, wanted);
    claim(tar.next() == nullptr, "an end stays an end");
    return true;
  });
  return 0;
}
