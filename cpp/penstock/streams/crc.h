// The three CRCs that object stores speak, each at the speed of the CPU's carry-less multiply where it has
// one.
//
// GB/s over 256 KiB in the cache (AMD EPYC with AVX2 and VPCLMULQDQ, GCC 12 -O2, CPU time, a busy machine):
// table 1.9; fold 128: CRC32 10, CRC32C 12, CRC64NVME 11; fold 256: CRC32 25, CRC32C 24, CRC64NVME 25.
// SSE4.2's crc32 instruction is left out: folding serves all three CRCs.
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

// One way to compute update(); update() takes the last that this CPU has. For tests and measurements.
struct Path {
  std::string_view name;
  bool available;
  std::uint64_t (*update)(const Polynomial& polynomial, std::uint64_t crc, Bytes bytes);
};
std::span<const Path> paths();

// The CRC of A followed by B from theirs and B's length, in O(log length).
std::uint64_t combine(const Polynomial& polynomial, std::uint64_t a, std::uint64_t b, std::uint64_t b_bytes);

}  // namespace penstock::crc
