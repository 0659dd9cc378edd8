#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"
#include "penstock/streams/hash.h"

namespace penstock {
namespace {

struct Row {
  Algorithm algorithm;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kRows = {
    Row{Algorithm::sha256, "sha256", 32},      Row{Algorithm::sha512, "sha512", 64},
    Row{Algorithm::sha1, "sha1", 20},          Row{Algorithm::md5, "md5", 16},
    Row{Algorithm::crc32, "crc32", 4},         Row{Algorithm::crc32c, "crc32c", 4},
    Row{Algorithm::crc64nvme, "crc64nvme", 8},
};

const Row& row_of(Algorithm algorithm) {
  for (const Row& row : kRows) {
    if (row.algorithm == algorithm) return row;
  }
  throw std::logic_error{"an algorithm that is none of the enumerators"};
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

using Raw = std::vector<std::byte>;

std::optional<Raw> from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Raw raw;
  unsigned value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<unsigned>(digit);
    if (i % 2 == 1) raw.push_back(static_cast<std::byte>(value & 0xff));
  }
  return raw;
}

// Without padding. Bits that no byte uses must be zero, so that one digest has one spelling.
std::optional<Raw> from_base64(std::string_view text) {
  Raw raw;
  unsigned value = 0, bits = 0;
  for (const char c : text) {
    const auto digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = (value << 6 | static_cast<unsigned>(digit)) & 0xffff;
    bits += 6;
    if (bits >= 8) raw.push_back(static_cast<std::byte>(value >> (bits -= 8) & 0xff));
  }
  const bool unused_bits_set = (value & ((1U << bits) - 1)) != 0;
  return unused_bits_set ? std::nullopt : std::optional{raw};
}

std::optional<Raw> decode(std::string_view text, std::size_t bytes) {
  const std::size_t base64_size = (bytes * 4 + 2) / 3, padded_size = (bytes + 2) / 3 * 4;
  if (text.size() == 2 * bytes && !text.ends_with('=')) return from_hex(lower(text));
  if (text.size() == base64_size) return from_base64(text);
  const bool padded =
      text.size() == padded_size && text.find_first_not_of('=', base64_size) == std::string_view::npos;
  return padded ? from_base64(text.substr(0, base64_size)) : std::nullopt;
}

Error refused(std::string message) {
  return {Kind::refused, std::move(message), {.doing = "read a checksum"}};
}

// Splits "sha256:..." into its algorithm and its value; a given algorithm must agree.
Algorithm take_algorithm(std::optional<Algorithm> given, std::string_view& text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    if (!given) throw refused("a checksum without an algorithm: write it as sha256:<digest>");
    return *given;
  }
  const Algorithm named = parse_algorithm(text.substr(0, colon));
  text.remove_prefix(colon + 1);
  if (given && *given != named) {
    throw refused(
        fmt::format("the checksum says {}, but {} was asked for", to_string(named), to_string(*given)));
  }
  return named;
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  return row_of(algorithm).name;
}

std::size_t digest_bytes(Algorithm algorithm) {
  return row_of(algorithm).bytes;
}

Algorithm parse_algorithm(std::string_view name) {
  std::string wanted = lower(name);
  std::erase_if(wanted, [](char c) { return c == '-' || c == '_'; });
  std::vector<std::string_view> known;
  for (const Row& row : kRows) {
    if (row.name == wanted) return row.algorithm;
    known.push_back(row.name);
  }
  throw refused(fmt::format("\"{}\" is not a checksum algorithm: known are {}", redact_text(name, 64),
                            fmt::join(known, ", ")));
}

Digest::Digest(Algorithm algorithm, Bytes raw) : algorithm_(algorithm), raw_(raw.begin(), raw.end()) {
  if (raw.size() != digest_bytes(algorithm)) throw std::logic_error{"a digest of another algorithm's length"};
}

Digest Digest::parse(std::optional<Algorithm> algorithm, std::string_view text) {
  std::string_view value = text;
  const Algorithm named = take_algorithm(algorithm, value);
  const std::size_t bytes = digest_bytes(named);
  if (const auto raw = decode(value, bytes)) return {named, *raw};
  throw refused(fmt::format("\"{}\" is not a {} digest: write {} hex digits, or base64",
                            redact_text(value, 160), to_string(named), 2 * bytes));
}

std::string Digest::hex() const {
  std::string text;
  for (const std::byte byte : raw_) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

std::string Digest::base64() const {
  std::string text;
  for (std::size_t i = 0; i < raw_.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, raw_.size() - i);
    unsigned value = 0;
    for (std::size_t j = 0; j < 3; ++j)
      value = value << 8 | (j < count ? static_cast<unsigned>(raw_[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kBase64[value >> (18 - 6 * j) & 0x3f] : '=';
  }
  return text;
}

bool Digest::equals(const Digest& other) const {
  if (algorithm_ != other.algorithm_ || raw_.size() != other.raw_.size()) return false;
  std::byte difference{0};
  for (std::size_t i = 0; i < raw_.size(); ++i) difference |= raw_[i] ^ other.raw_[i];
  return difference == std::byte{0};
}

}  // namespace penstock
