#include "penstock/streams/crc.h"

#include <array>
#include <bit>
#include <cstring>

#include "penstock/streams/crc_paths.h"
#include "penstock/streams/gf2.h"

namespace penstock::crc {
namespace {

constexpr std::size_t kSlices = 16;
using Tables = std::array<std::array<std::uint64_t, 256>, kSlices>;

// tables[k][b]: what byte b does to the register when k more bytes follow it.
constexpr Tables make_tables(const Polynomial& p) {
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

const Tables& tables_of(const Polynomial& p) {
  static constexpr Tables kOfCrc32 = make_tables(kCrc32), kOfCrc32c = make_tables(kCrc32c),
                          kOfCrc64Nvme = make_tables(kCrc64Nvme);
  return p.width == 64 ? kOfCrc64Nvme : p.reflected == kCrc32.reflected ? kOfCrc32 : kOfCrc32c;
}

std::uint64_t load(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

std::uint64_t inverted(std::uint64_t crc, const Polynomial& p) {
  return ~crc & ~std::uint64_t{0} >> (64 - p.width);
}

using Register = std::uint64_t (*)(const Polynomial& polynomial, std::uint64_t state, Bytes bytes);

template <Register path>
std::uint64_t whole(const Polynomial& polynomial, std::uint64_t crc, Bytes bytes) {
  return inverted(path(polynomial, inverted(crc, polynomial), bytes), polynomial);
}

}  // namespace

// Slicing by 16: sixteen bytes are looked up at once, in tables that know how far each is from the end.
std::uint64_t by_table(const Polynomial& polynomial, std::uint64_t state, Bytes bytes) {
  const Tables& tables = tables_of(polynomial);
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

std::span<const Path> paths() {
  static const std::array<Path, 3> all = {{{"table", true, whole<by_table>},
                                           {"fold 128", has_fold_128(), whole<by_fold_128>},
                                           {"fold 256", has_fold_256(), whole<by_fold_256>}}};
  return all;
}

std::uint64_t update(const Polynomial& polynomial, std::uint64_t crc, Bytes bytes) {
  static const auto best = [] {
    auto found = paths().front().update;
    for (const Path& path : paths()) found = path.available ? path.update : found;
    return found;
  }();
  return best(polynomial, crc, bytes);
}

std::uint64_t combine(const Polynomial& polynomial, std::uint64_t a, std::uint64_t b, std::uint64_t b_bytes) {
  // B's bytes move A's register on by x^8 each. The inversions at both ends cancel.
  const std::uint64_t shift = power(x_to_the(8, polynomial), b_bytes, polynomial);
  return multiply(a, shift, polynomial) ^ b;
}

}  // namespace penstock::crc
