// Sizes and spans with their unit in the type or the literal, and the text forms "64MiB" and "30s".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

inline namespace literals {
constexpr std::uint64_t operator""_KiB(unsigned long long n) {
  return n << 10;
}
constexpr std::uint64_t operator""_MiB(unsigned long long n) {
  return n << 20;
}
constexpr std::uint64_t operator""_GiB(unsigned long long n) {
  return n << 30;
}
constexpr std::uint64_t operator""_TiB(unsigned long long n) {
  return n << 40;
}
}  // namespace literals

// "4096", "64KiB", "1.5GiB", "10MB" (decimal); spaces before the unit and any case are fine.
// Throws Error(refused) naming the text.
std::uint64_t parse_bytes(std::string_view text);

// "1.5 GiB", "11 bytes": for people, three digits.
std::string format_bytes(std::uint64_t bytes);

// "30s", "250ms", "5m", "1h", "1.5" (seconds). Throws Error(refused).
std::chrono::milliseconds parse_span(std::string_view text);

}  // namespace penstock
