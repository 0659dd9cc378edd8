#include "penstock/codecs/tar_header.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

// POSIX.1-1988 "ustar"; GNU writes other fields where POSIX has the prefix, and another magic.
struct Field {
  std::size_t at, bytes;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kModified{136, 12}, kChecksum{148, 8}, kLink{157, 100},
    kMagic{257, 6}, kPrefix{345, 155};
constexpr std::size_t kType = 156;
constexpr std::string_view kPosix{"ustar\0", 6}, kGnu{"ustar ", 6};

std::string_view field(Bytes block, Field where) {
  return as_text(block.subspan(where.at, where.bytes));
}

std::string_view text(Bytes block, Field where) {
  const auto whole = field(block, where);
  return whole.substr(0, whole.find('\0'));
}

Error corrupt(std::string message) {
  return {Kind::corrupt, std::move(message), {.side = Side::source, .doing = "read a tar"}};
}

// GNU's: the first bit is set, the rest is a big-endian number. Negative ones are none to us.
std::optional<std::uint64_t> binary(std::string_view digits) {
  std::uint64_t value = static_cast<unsigned char>(digits.front()) & 0x7f;
  if (value & 0x40) return std::nullopt;
  for (const char c : digits.substr(1)) {
    if (value >> 55) return std::nullopt;
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return value;
}

// Octal digits, after spaces, up to a space or NUL; none at all is 0.
std::optional<std::uint64_t> number(std::string_view digits) {
  if (static_cast<unsigned char>(digits.front()) & 0x80) return binary(digits);
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  digits = digits.substr(0, digits.find_first_of(std::string_view{" \0", 2}));
  if (digits.empty()) return 0;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The sum of all bytes, the field of the sum itself counted as spaces. Some old ones added signed bytes.
bool checksum_is_right(Bytes block) {
  const auto said = number(field(block, kChecksum));
  if (!said) return false;
  std::uint64_t sum = 0;
  std::int64_t signed_sum = 0;
  for (std::size_t i = 0; i < kTarBlockBytes; ++i) {
    const bool own = i >= kChecksum.at && i < kChecksum.at + kChecksum.bytes;
    const auto byte = own ? static_cast<unsigned char>(' ') : std::to_integer<unsigned char>(block[i]);
    sum += byte;
    signed_sum += static_cast<signed char>(byte);
  }
  return *said == sum || static_cast<std::int64_t>(*said) == signed_sum;
}

std::optional<WallTime> time_of(double seconds) {
  constexpr double kMost = 9e9;  // year 2255: the clock's nanoseconds end in 2262
  if (!std::isfinite(seconds) || std::abs(seconds) > kMost) return std::nullopt;
  return WallTime{std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>{seconds})};
}

template <typename Number>
std::optional<Number> whole(std::string_view digits) {
  Number value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

void add_record(PaxRecords& all, std::string_view key, std::string_view value) {
  if (key == "path") all.path = value;
  if (key == "linkpath") all.linkpath = value;
  if (key.starts_with("GNU.sparse.")) all.sparse = true;
  if (key == "size") {
    all.size = whole<std::uint64_t>(value);
    if (!all.size) throw corrupt("a pax header of the tar has a size that is no number");
  }
  if (key == "mtime") {
    const auto seconds = whole<double>(value);
    all.mtime = seconds ? time_of(*seconds) : std::nullopt;
  }
}

}  // namespace

bool is_tar_header(Bytes block) {
  if (block.size() < kTarBlockBytes) return false;
  const auto magic = field(block, kMagic);
  return (magic == kPosix || magic == kGnu) && checksum_is_right(block);
}

TarHeader TarHeader::parse(Bytes block) {
  if (!checksum_is_right(block)) throw corrupt("a header of the tar has a wrong checksum");
  TarHeader header;
  header.name = text(block, kName);
  header.link_to = text(block, kLink);
  const auto bytes = number(field(block, kSize));
  if (!bytes) throw corrupt("a header of the tar has a size that is no number");
  header.bytes = *bytes;
  if (const auto modified = number(field(block, kModified)))
    header.modified = time_of(static_cast<double>(*modified));
  header.type = static_cast<char>(block[kType]);
  if (field(block, kMagic) == kPosix) {
    if (const auto prefix = text(block, kPrefix); !prefix.empty())
      header.name = std::string{prefix} + "/" + header.name;
  }
  return header;
}

// "LENGTH key=value\n", where LENGTH counts the whole record, itself included.
void PaxRecords::add(std::string_view records) {
  const auto broken = [] { return corrupt("a pax header of the tar has a record that is none"); };
  while (!records.empty()) {
    const std::size_t space = records.find(' ');
    if (space == records.npos) throw broken();
    const auto length = whole<std::size_t>(records.substr(0, space));
    if (!length || *length <= space + 1 || *length > records.size()) throw broken();
    const std::string_view record = records.substr(space + 1, *length - space - 1);
    const std::size_t equals = record.find('=');
    if (equals == record.npos || record.back() != '\n') throw broken();
    add_record(*this, record.substr(0, equals), record.substr(equals + 1, record.size() - equals - 2));
    records.remove_prefix(*length);
  }
}

}  // namespace penstock::codecs
