#include "penstock/base/utf8.h"

#include <cstddef>

namespace penstock {
namespace {

// How many bytes the character at the front of `text` takes, or 0 if it is none.
std::size_t utf8_character(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned lead = byte(0), second = byte(1);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF && tail(1)) return 2;
  if (lead >= 0xE0 && lead <= 0xEF && tail(1) && tail(2)) {
    bool fits = (lead != 0xE0 || second >= 0xA0) && (lead != 0xED || second <= 0x9F);
    return fits ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    bool fits = (lead != 0xF0 || second >= 0x90) && (lead != 0xF4 || second <= 0x8F);
    return fits ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t n = utf8_character(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

void append_utf8(std::string& text, char32_t c) {
  const auto byte = [&text](char32_t bits) { text += static_cast<char>(bits); };
  const auto rest = [&byte, c](int shift) { byte(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | c >> 6);
    rest(0);
  } else if (c < 0x10000) {
    byte(0xe0 | c >> 12);
    rest(6);
    rest(0);
  } else {
    byte(0xf0 | c >> 18);
    rest(12);
    rest(6);
    rest(0);
  }
}

std::optional<char32_t> take_character(std::string_view& text) {
  const std::size_t n = utf8_character(text);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  constexpr unsigned kLeadBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::optional<char32_t> c;
  if (n > 0) c = byte(0) & kLeadBits[n];
  for (std::size_t i = 1; i < n; ++i) c = *c << 6 | (byte(i) & 0x3f);
  text.remove_prefix(n == 0 ? 1 : n);
  return c;
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0) == 0x80) --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace penstock
