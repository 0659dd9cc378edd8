// The three CRCs that object stores speak, each at the speed of the CPU's carry-less multiply where it has
// one.
//
// All are reflected, begin and end with all bits inverted, and chain: update(update(0, a), b) is the CRC of
// a, b.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "penstock/base/bytes.h"

namespace penstock::crc {

struct Polynomial {
  int width;                // bits: 32 or 64
  std::uint64_t reflected;  // without the leading term; bit 0 is the highest power
};

inline constexpr Polynomial kCrc32{32, 0xEDB88320};   // IEEE 802.3, zlib, gzip
inline constexpr Polynomial kCrc32c{32, 0x82F63B78};  // Castagnoli, RFC 3720
inline constexpr Polynomial kCrc64Nvme{64,
                                       0x9A6C9329AC4BC9B5};  // NVM Express, 0xAD93D23594C93659 unreflected

std::uint64_t update(const Polynomial& polynomial, std::uint64_t crc, Bytes bytes);

// The CRC of A followed by B from theirs and B's length, in O(log length).
std::uint64_t combine(const Polynomial& polynomial, std::uint64_t a, std::uint64_t b, std::uint64_t b_bytes);

}  // namespace penstock::crc
