#include "penstock/streams/crc.h"

#include <array>
#include <bit>
#include <cstring>

namespace penstock::crc {
namespace {

// Polynomials over GF(2), reflected: bit (width - 1) is x^0, bit 0 is x^(width - 1).
constexpr std::uint64_t times_x(std::uint64_t a, Polynomial p) {
  return a >> 1 ^ (a & 1 ? p.reflected : 0);
}

constexpr std::uint64_t one(Polynomial p) {
  return std::uint64_t{1} << (p.width - 1);
}

constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b, Polynomial p) {
  std::uint64_t product = 0;
  for (std::uint64_t term = one(p); term != 0; term >>= 1) {
    if (a & term) product ^= b;
    b = times_x(b, p);
  }
  return product;
}

// x^exponent mod P by repeated squaring.
constexpr std::uint64_t x_to_the(std::uint64_t exponent, Polynomial p) {
  std::uint64_t result = one(p), square = times_x(one(p), p);
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, square, p);
    square = multiply(square, square, p);
  }
  return result;
}

constexpr std::size_t kSlices = 16;
using Tables = std::array<std::array<std::uint64_t, 256>, kSlices>;

// tables[k][b]: what byte b does to the register when k more bytes follow it.
constexpr Tables make_tables(Polynomial p) {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = times_x(value, p);
    tables[0][byte] = value;
  }
  for (std::size_t k = 1; k < kSlices; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

std::uint64_t load(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

// Slicing by 16: sixteen bytes are looked up at once, in tables that know how far each is from the end.
std::uint64_t by_table(const Tables& tables, std::uint64_t state, Bytes bytes) {
  for (; bytes.size() >= 16; bytes = bytes.subspan(16)) {
    std::uint64_t low = load(bytes.data()) ^ state, high = load(bytes.data() + 8);
    state = 0;
    for (std::size_t i = 0; i < 8; ++i, low >>= 8, high >>= 8) {
      state ^= tables[15 - i][low & 0xff] ^ tables[7 - i][high & 0xff];
    }
  }
  for (const std::byte byte : bytes) {
    state = state >> 8 ^ tables[0][(state ^ static_cast<std::uint64_t>(byte)) & 0xff];
  }
  return state;
}

constexpr Tables kCrc32Tables = make_tables(kCrc32);
constexpr Tables kCrc32cTables = make_tables(kCrc32c);
constexpr Tables kCrc64NvmeTables = make_tables(kCrc64Nvme);

const Tables& tables_of(const Polynomial& p) {
  return p.width == 64 ? kCrc64NvmeTables : p.reflected == kCrc32.reflected ? kCrc32Tables : kCrc32cTables;
}

std::uint64_t inverted(std::uint64_t crc, const Polynomial& p) {
  return ~crc & ~std::uint64_t{0} >> (64 - p.width);
}

}  // namespace

std::uint64_t update(const Polynomial& polynomial, std::uint64_t crc, Bytes bytes) {
  return inverted(by_table(tables_of(polynomial), inverted(crc, polynomial), bytes), polynomial);
}

std::uint64_t combine(const Polynomial& polynomial, std::uint64_t a, std::uint64_t b, std::uint64_t b_bytes) {
  // The inversions at both ends cancel. x^(8 * length) as (x^8)^length, since 8 * length may not fit.
  std::uint64_t result = a, square = x_to_the(8, polynomial);
  for (; b_bytes != 0; b_bytes >>= 1) {
    if (b_bytes & 1) result = multiply(result, square, polynomial);
    square = multiply(square, square, polynomial);
  }
  return result ^ b;
}

}  // namespace penstock::crc
