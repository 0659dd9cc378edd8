// Whatever the bytes, gunzip gives what zlib gives too, or says no; never more than its limit.
#define ZLIB_CONST
#include <zlib.h>

#include "penstock/codecs/gunzip.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

// What zlib makes of all members; nothing if it finds something wrong with one. Zeros after a member are
// skipped.
std::optional<std::string> by_zlib(std::string_view packed) {
  std::string all;
  while (!packed.empty() && (all.empty() || packed.front() != '\0')) {
    z_stream zlib{};
    claim(inflateInit2(&zlib, 16 + MAX_WBITS) == Z_OK, "zlib begins");
    zlib.next_in = reinterpret_cast<const Bytef*>(packed.data());
    zlib.avail_in = static_cast<uInt>(packed.size());
    int said = Z_OK;
    while (said == Z_OK) {
      Bytef some[4096];
      zlib.next_out = some;
      zlib.avail_out = sizeof some;
      said = inflate(&zlib, Z_NO_FLUSH);
      all.append(reinterpret_cast<const char*>(some), sizeof some - zlib.avail_out);
    }
    packed.remove_prefix(packed.size() - zlib.avail_in);
    inflateEnd(&zlib);
    if (said != Z_STREAM_END) return std::nullopt;
    while (!packed.empty() && packed.front() == '\0') packed.remove_prefix(1);
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr codecs::Limits kLimits{.total_bytes = 1 << 20};
  MemorySource whole{as_bytes(fuzz::text_of(data, size)).subspan(1)};
  SlowSource slow{whole, std::size_t{data[0]} + 1};
  codecs::Gunzip stage{slow, {.limits = kLimits, .ignore_trailing = data[0] % 2 == 1}};
  std::string all;
  const auto good = fuzz::parsed([&] {
    std::byte some[777];
    while (const std::size_t got = stage.read(some)) all.append(reinterpret_cast<const char*>(some), got);
    claim(stage.read(some) == 0, "an end stays an end");
    return true;
  });
  claim(all.size() <= kLimits.total_bytes, "nothing beyond the limit comes out");
  if (good && data[0] % 2 == 0)
    claim(by_zlib(fuzz::text_of(data, size).substr(1)) == all, "zlib agrees with what is called good");
  return 0;
}
