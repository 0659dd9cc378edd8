// What the members of a zip were found to be, until its directory says the same of each.
//
// A zip says everything twice, before each member and at its end, and who reads the one and who the other can
// be shown two different archives. Here both must agree, with the bytes and with each other.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "penstock/codecs/zip_format.h"

namespace penstock::codecs {

// Memory: 64 bytes a member.
class ZipDirectory {
 public:
  // A member whose local header begins at `offset`; later ones come later. Its sizes and CRC are those found.
  // `path_like`: its content could be where a link leads.
  void add(std::uint64_t offset, const zip::Member& found, bool path_like);

  // Throws Error(corrupt) unless one member was found just so where the entry says, and no other entry said
  // so; or if it is said to be a link or device that it cannot be: no checksum covers that.
  void compare(const zip::DirectoryEntry& entry);

  // After the last entry. Throws Error(corrupt) if a member has none, or two have one name.
  void finish();

  // Of members that are no files as Unix made them, which only the directory says: their numbers, from 0.
  const std::vector<std::uint64_t>& special() const { return special_; }
  std::uint64_t members() const { return members_.size(); }

 private:
  // Of a SHA-256: names may be long, and many. Empty parts and "." are left out: they name no other file.
  using NameSum = std::array<std::byte, 16>;
  struct Known {
    std::uint64_t offset, packed_bytes, bytes;
    std::uint32_t crc32;
    std::uint16_t method;
    bool listed, path_like;
    NameSum name;
  };
  static NameSum sum_of(std::string_view name);
  std::vector<Known> members_;
  std::vector<std::uint64_t> special_;
  std::uint64_t listed_ = 0;
};

}  // namespace penstock::codecs
