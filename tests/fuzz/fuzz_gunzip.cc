// Whatever the bytes, gunzip gives what zlib's checks vouch for, or says no; never more than its limit.
#include "penstock/codecs/gunzip.h"
#include "penstock/streams/memory.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr codecs::Limits kLimits{.total_bytes = 1 << 20};
  MemorySource whole{as_bytes(fuzz::text_of(data, size)).subspan(1)};
  SlowSource slow{whole, std::size_t{data[0]} + 1};
  codecs::Gunzip stage{slow, {.limits = kLimits, .ignore_trailing = data[0] % 2 == 1}};
  std::uint64_t total = 0;
  fuzz::parsed([&] {
    std::byte some[777];
    while (const std::size_t got = stage.read(some)) total += got;
    claim(stage.read(some) == 0, "an end stays an end");
    return true;
  });
  claim(total <= kLimits.total_bytes, "nothing beyond the limit comes out");
  return 0;
}
