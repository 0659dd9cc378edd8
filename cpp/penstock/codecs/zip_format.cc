#include "penstock/codecs/zip_format.h"

#include <array>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/utf8.h"
#include "penstock/codecs/codes.h"

namespace penstock::codecs::zip {
namespace {

constexpr std::uint16_t kEncrypted = 1 << 0, kPatched = 1 << 5, kStrongEncryption = 1 << 6,
                        kHiddenHeader = 1 << 13;
constexpr int kUnix = 3, kDarwin = 19;  // "made by"
constexpr std::uint32_t kTypeMask = 0170000, kLink = 0120000, kPipe = 0010000, kCharacters = 0020000,
                        kBlocks = 0060000, kSocket = 0140000;
constexpr std::size_t kExtraHeaderBytes = 4;

// The upper half of code page 437, which a name is in that does not say it is UTF-8.
constexpr std::u32string_view kCp437 =
    U"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀"
    U"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";
static_assert(kCp437.size() == 128);

template <class Number>
Number little_endian(Bytes bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;)
    value = static_cast<Number>(value << 8 | std::to_integer<Number>(bytes[at + i]));
  return value;
}

// The extra field `wanted`, or nothing.
Bytes extra_field(Bytes extra, std::uint16_t wanted) {
  while (extra.size() >= kExtraHeaderBytes) {  // fewer are padding
    const std::size_t bytes = le16(extra, 2);
    const Bytes rest = extra.subspan(kExtraHeaderBytes);
    if (bytes > rest.size()) throw corrupt("an extra field of the zip is longer than all of them");
    if (le16(extra, 0) == wanted) return rest.first(bytes);
    extra = rest.subspan(bytes);
  }
  return {};
}

// Info-ZIP's UTF-8 spelling of the name, if it belongs to these bytes of it.
std::optional<std::string> unicode_path(Bytes raw, Bytes extra) {
  const Bytes field = extra_field(extra, kUnicodePath);
  if (field.size() < 5 || field[0] != std::byte{1}) return std::nullopt;
  Hasher crc{Algorithm::crc32};
  crc.update(raw);
  const std::string_view name = as_text(field.subspan(5));
  if (le32(field, 1) != crc32_of(crc) || !is_utf8(name)) return std::nullopt;
  return std::string{name};
}

// Many write UTF-8 and do not say so; what happens to be UTF-8 is read as such.
std::string name_from(Bytes raw, std::uint16_t flags, Bytes extra) {
  if (auto path = unicode_path(raw, extra)) return *std::move(path);
  const std::string_view bytes = as_text(raw);
  if (is_utf8(bytes)) return std::string{bytes};
  if (flags & kUtf8) throw corrupt("a name of the zip says it is UTF-8 and is not");
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    append_utf8(text, byte < 0x80 ? char32_t{byte} : kCp437[byte - 0x80]);
  }
  return text;
}

// The zip64 field holds what does not fit its place, in this order.
void widen(Bytes extra, std::initializer_list<std::uint64_t*> values) {
  Bytes wide = extra_field(extra, kZip64);
  for (std::uint64_t* value : values) {
    if (*value != kWide) continue;
    if (wide.size() < 8)
      throw corrupt("a size or offset of the zip is said to be in a zip64 field, and is not");
    *value = le64(wide, 0);
    wide = wide.subspan(8);
  }
}

std::optional<WallTime> dos_time(std::uint16_t date, std::uint16_t time) {
  namespace chrono = std::chrono;
  const chrono::year_month_day day{chrono::year{1980 + (date >> 9)}, chrono::month{date >> 5 & 15u},
                                   chrono::day{date & 31u}};
  const int hour = time >> 11, minute = time >> 5 & 63, second = (time & 31) * 2;
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return chrono::sys_days{day} + chrono::hours{hour} + chrono::minutes{minute} + chrono::seconds{second};
}

std::optional<WallTime> time_from(std::uint16_t date, std::uint16_t time, Bytes extra) {
  const Bytes unix_time = extra_field(extra, kUnixTime);
  if (unix_time.size() >= 5 && std::to_integer<int>(unix_time[0]) & 1)
    return WallTime{std::chrono::seconds{static_cast<std::int32_t>(le32(unix_time, 1))}};
  return dos_time(date, time);
}

Error several_parts() {
  return refused("the zip is one of several parts, which is not supported", code::kUnsupported);
}

void refuse_unsupported(const Member& member) {
  const auto refuse = [](std::string what) {
    throw refused("the zip holds a member that " + std::move(what) + ", which is not supported",
                  code::kUnsupported);
  };
  if (member.flags & (kEncrypted | kStrongEncryption | kHiddenHeader)) refuse("is encrypted");
  if (member.flags & kPatched) refuse("is a patch");
  if (member.method != kStored && member.method != kDeflated)
    refuse(fmt::format("is compressed by method {}", member.method));
}

// The part that stands alike in both headers, `at` bytes into them.
Member common(Bytes whole, std::size_t at, Bytes name, Bytes extra) {
  Member member{.flags = le16(whole, at),
                .method = le16(whole, at + 2),
                .crc32 = le32(whole, at + 8),
                .packed_bytes = le32(whole, at + 12),
                .bytes = le32(whole, at + 16)};
  refuse_unsupported(member);
  member.name = name_from(name, member.flags, extra);
  member.modified = time_from(le16(whole, at + 6), le16(whole, at + 4), extra);
  return member;
}

DirectoryEntry::Type type_from(std::uint16_t made_by, std::uint32_t attributes) {
  const int system = made_by >> 8;
  if (system != kUnix && system != kDarwin) return DirectoryEntry::Type::any;
  switch ((attributes >> 16) & kTypeMask) {
    case kLink:
      return DirectoryEntry::Type::link;
    case kPipe:
    case kCharacters:
    case kBlocks:
    case kSocket:
      return DirectoryEntry::Type::other;
    default:
      return DirectoryEntry::Type::any;
  }
}

}  // namespace

std::uint16_t le16(Bytes bytes, std::size_t at) {
  return little_endian<std::uint16_t>(bytes, at);
}

std::uint32_t le32(Bytes bytes, std::size_t at) {
  return little_endian<std::uint32_t>(bytes, at);
}

std::uint64_t le64(Bytes bytes, std::size_t at) {
  return little_endian<std::uint64_t>(bytes, at);
}

std::size_t local_bytes(Bytes fixed) {
  return kLocalBytes + le16(fixed, 26) + le16(fixed, 28);
}

Member parse_local(Bytes whole) {
  const std::size_t name_bytes = le16(whole, 26);
  const Bytes extra = whole.subspan(kLocalBytes + name_bytes);
  Member member = common(whole, 6, whole.subspan(kLocalBytes, name_bytes), extra);
  widen(extra, {&member.bytes, &member.packed_bytes});
  return member;
}

std::size_t directory_bytes(Bytes fixed) {
  return kDirectoryBytes + le16(fixed, 28) + le16(fixed, 30) + le16(fixed, 32);
}

DirectoryEntry parse_directory(Bytes whole) {
  const std::size_t name_bytes = le16(whole, 28);
  const Bytes extra = whole.subspan(kDirectoryBytes + name_bytes, le16(whole, 30));
  DirectoryEntry entry{.member = common(whole, 8, whole.subspan(kDirectoryBytes, name_bytes), extra),
                       .offset = le32(whole, 42),
                       .type = type_from(le16(whole, 4), le32(whole, 38))};
  widen(extra, {&entry.member.bytes, &entry.member.packed_bytes, &entry.offset});
  if (const auto disk = le16(whole, 34); disk != 0 && disk != kWide16) throw several_parts();
  return entry;
}

End parse_end(Bytes fixed) {
  if (le16(fixed, 4) != le16(fixed, 6) || le16(fixed, 8) != le16(fixed, 10)) throw several_parts();
  return {.disk = le16(fixed, 4),
          .entries = le16(fixed, 10),
          .directory_bytes = le32(fixed, 12),
          .directory_offset = le32(fixed, 16),
          .comment_bytes = le16(fixed, 20)};
}

End parse_end64(Bytes fixed) {
  if (le64(fixed, 4) != kEnd64Bytes - 12)
    throw refused("the zip's end record has an extension, which is not supported", code::kUnsupported);
  if (le32(fixed, 16) != le32(fixed, 20) || le64(fixed, 24) != le64(fixed, 32)) throw several_parts();
  return {.disk = le32(fixed, 16),
          .entries = le64(fixed, 32),
          .directory_bytes = le64(fixed, 40),
          .directory_offset = le64(fixed, 48)};
}

std::uint64_t end64_at(Bytes locator) {
  if (le32(locator, 4) != 0 || le32(locator, 16) > 1) throw several_parts();
  return le64(locator, 8);
}

std::uint32_t crc32_of(const Hasher& hasher) {
  const Digest digest = hasher.digest();
  std::uint32_t value = 0;
  for (const std::byte byte : digest.raw()) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

std::size_t descriptor_bytes(Bytes bytes, const Member& actual) {
  for (const bool signed_ : {true, false}) {
    const std::size_t at = signed_ ? kSignatureBytes : 0;
    if (signed_ && (bytes.size() < at || le32(bytes, 0) != kDescriptor)) continue;
    const Bytes rest = bytes.subspan(at);
    if (rest.size() < 12 || le32(rest, 0) != actual.crc32) continue;
    if (rest.size() >= 20 && le64(rest, 4) == actual.packed_bytes && le64(rest, 12) == actual.bytes)
      return at + 20;
    if (le32(rest, 4) == actual.packed_bytes && le32(rest, 8) == actual.bytes) return at + 12;
  }
  return 0;
}

std::uint32_t signature(Input& input) {
  return le32(record(input, kSignatureBytes), 0);
}

Bytes record(Input& input, std::size_t bytes) {
  if (!input.have(bytes)) throw truncated();
  return input.unread().first(bytes);
}

Bytes record(Input& input, std::size_t fixed_bytes, std::size_t (*whole_bytes)(Bytes fixed)) {
  return record(input, whole_bytes(record(input, fixed_bytes)));
}

Error corrupt(std::string message, std::string_view code) {
  return {Kind::corrupt,
          std::move(message),
          {.side = Side::source, .doing = "read a zip", .code = std::string{code}}};
}

Error refused(std::string message, std::string_view code) {
  return {Kind::refused,
          std::move(message),
          {.side = Side::source, .doing = "read a zip", .code = std::string{code}}};
}

Error truncated() {
  return corrupt("the zip ends before its directory does", code::kTruncated);
}

}  // namespace penstock::codecs::zip
