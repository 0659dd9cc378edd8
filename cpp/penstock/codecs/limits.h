// What compressed bytes may become. Whoever goes beyond it gets Error(refused, code too_large): a small input
// can stand for any number of bytes, entries and names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "penstock/base/units.h"

namespace penstock::codecs {

struct Limits {
  std::uint64_t total_bytes = 64_GiB;  // of one stream or archive, inflated
  std::uint64_t entry_bytes = 32_GiB;  // of one member of an archive
  std::uint64_t ratio = 250;           // bytes out for each byte in (0: any) ...
  std::uint64_t ratio_from = 64_MiB;   // ... once so many are out: a small file of zeros is no attack
  std::uint64_t entries = 100'000;
  std::size_t name_bytes = 1'024;
  std::uint64_t spool_bytes = 4_GiB;  // of a zip that can only be read from its end, on disk
};

// Throws if `bytes_out`, made of `bytes_in`, is beyond total_bytes or the ratio. `doing` is for the Error.
void check_inflated(const Limits& limits, std::uint64_t bytes_in, std::uint64_t bytes_out,
                    std::string_view doing);

}  // namespace penstock::codecs
