#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/base/base64.h"
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

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

std::optional<std::string> decode_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string raw;
  unsigned value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<unsigned>(digit);
    if (i % 2 == 1) raw += static_cast<char>(value & 0xff);
  }
  return raw;
}

// The lengths tell the two apart: eight hex digits never end in '='.
std::optional<std::string> decode(std::string_view text, std::size_t bytes) {
  const bool is_hex = text.size() == 2 * bytes && !text.ends_with('=');
  auto raw = is_hex ? decode_hex(lower(text)) : decode_base64(text);
  return raw && raw->size() == bytes ? raw : std::nullopt;
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
  if (const auto raw = decode(value, bytes)) return {named, as_bytes(*raw)};
  throw refused(fmt::format("\"{}\" is not a {} digest: write {} hex digits, or base64",
                            redact_text(value, 160), to_string(named), 2 * bytes));
}

std::string Digest::hex() const {
  std::string text;
  for (const std::byte byte : raw_) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

std::string Digest::base64() const {
  return encode_base64(as_text(raw_));
}

bool Digest::equals(const Digest& other) const {
  if (algorithm_ != other.algorithm_ || raw_.size() != other.raw_.size()) return false;
  std::byte difference{0};
  for (std::size_t i = 0; i < raw_.size(); ++i) difference |= raw_[i] ^ other.raw_[i];
  return difference == std::byte{0};
}

}  // namespace penstock
