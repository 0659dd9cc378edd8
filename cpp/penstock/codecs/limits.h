// What compressed bytes may become. Whoever goes beyond it gets Error(refused, code too_large): a small input
// can stand for any number of bytes, entries and names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "penstock/base/units.h"

namespace penstock::codecs {

struct Limits {
  std::uint64_t total_bytes = 64_GiB;  // of one stream or archive, inflated
  std::uint64_t entry_bytes = 32_GiB;  // of one member of an archive
  std::uint64_t ratio = 250;           // bytes out for each byte in (0: any) ...
  std::uint64_t ratio_from = 64_MiB;   // ... once so many are out: a small file of zeros is no attack
  std::uint64_t entries = 100'000;
  std::size_t name_bytes = 1'024;
};

}  // namespace penstock::codecs
