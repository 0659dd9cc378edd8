// Arithmetic of polynomials over GF(2) modulo a CRC's, which CRC tables, folding constants and combining
// need.
//
// Reflected: bit (width - 1) is x^0 and bit 0 is x^(width - 1).
#pragma once

#include <cstdint>

#include "penstock/streams/crc.h"

namespace penstock::crc {

constexpr std::uint64_t times_x(std::uint64_t a, const Polynomial& p) {
  return a >> 1 ^ (a & 1 ? p.reflected : 0);
}

constexpr std::uint64_t one(const Polynomial& p) {
  return std::uint64_t{1} << (p.width - 1);
}

constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b, const Polynomial& p) {
  std::uint64_t product = 0;
  for (std::uint64_t term = one(p); term != 0; term >>= 1) {
    if (a & term) product ^= b;
    b = times_x(b, p);
  }
  return product;
}

// base^exponent by repeated squaring.
constexpr std::uint64_t power(std::uint64_t base, std::uint64_t exponent, const Polynomial& p) {
  std::uint64_t result = one(p);
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, base, p);
    base = multiply(base, base, p);
  }
  return result;
}

// x^exponent.
constexpr std::uint64_t x_to_the(std::uint64_t exponent, const Polynomial& p) {
  return power(times_x(one(p), p), exponent, p);
}

}  // namespace penstock::crc
