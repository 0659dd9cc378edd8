// The records of a zip as they lie in the bytes (PKWARE APPNOTE 6.3, Info-ZIP's extra fields).
//
// Each parse takes a whole record, whose length the _bytes function beside it reads from its fixed part.
// Error(corrupt) for one that contradicts itself, Error(refused, code unsupported) for what nobody here
// reads: encryption, patches, methods other than stored and deflated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/bytes.h"
#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/codecs/input.h"
#include "penstock/streams/hash.h"

namespace penstock::codecs::zip {

inline constexpr std::uint32_t kLocal = 0x04034b50, kDescriptor = 0x08074b50, kDirectory = 0x02014b50,
                               kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50, kEnd = 0x06054b50;
inline constexpr std::size_t kSignatureBytes = 4, kLocalBytes = 30, kDirectoryBytes = 46, kEnd64Bytes = 56,
                             kEnd64LocatorBytes = 20, kEndBytes = 22;  // fixed parts
inline constexpr std::size_t kMaxEndBytes = kEndBytes + 0xffff;
inline constexpr std::size_t kMaxPaddingBytes = 64 * 1024;  // zeros after the end, to fill a block
inline constexpr std::uint16_t kStored = 0, kDeflated = 8;
inline constexpr std::uint16_t kSizesFollow = 1 << 3, kUtf8 = 1 << 11;                      // flags
inline constexpr std::uint16_t kUnixTime = 0x5455, kUnicodePath = 0x7075, kZip64 = 0x0001;  // extra fields
inline constexpr std::uint16_t kWide16 = 0xffff;    // too large for this place:
inline constexpr std::uint32_t kWide = 0xffffffff;  // see the zip64 record

std::uint16_t le16(Bytes bytes, std::size_t at);
std::uint32_t le32(Bytes bytes, std::size_t at);
std::uint64_t le64(Bytes bytes, std::size_t at);

// What both headers of a member say.
struct Member {
  std::string name{};  // UTF-8
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t packed_bytes = 0, bytes = 0;
  std::optional<WallTime> modified{};  // of DOS, which names no zone: read as UTC

  bool sizes_follow() const { return (flags & kSizesFollow) != 0; }
};

std::size_t local_bytes(Bytes fixed);
Member parse_local(Bytes whole);

struct DirectoryEntry {
  enum class Type { any, link, other };  // as Unix says, if Unix made it

  Member member{};
  std::uint64_t offset = 0;  // of the local header
  Type type = Type::any;
};

std::size_t directory_bytes(Bytes fixed);
DirectoryEntry parse_directory(Bytes whole);

// The end of the directory. What is too large for a record of 16 and 32 bits is all ones there, and stands in
// the one of 64.
struct End {
  std::uint64_t disk = 0, entries = 0, directory_bytes = 0, directory_offset = 0;
  std::size_t comment_bytes = 0;
};

End parse_end(Bytes fixed);
End parse_end64(Bytes fixed);           // whose extensible part nobody uses
std::uint64_t end64_at(Bytes locator);  // its offset

std::uint32_t crc32_of(const Hasher& hasher);

// What follows a member whose sizes do. There are four forms, told apart by the values they must hold.
inline constexpr std::size_t kMaxDescriptorBytes = 24;
std::size_t descriptor_bytes(Bytes bytes, const Member& actual);  // 0: none of the four

// The signature of what comes next; the next record, until the next have(). Throw truncated().
std::uint32_t signature(Input& input);
Bytes record(Input& input, std::size_t bytes);
Bytes record(Input& input, std::size_t fixed_bytes, std::size_t (*whole_bytes)(Bytes fixed));

Error corrupt(std::string message, std::string_view code = {});
Error refused(std::string message, std::string_view code);
Error truncated();

}  // namespace penstock::codecs::zip
