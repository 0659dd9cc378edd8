// Zips by the letter of the APPNOTE, so that each field can be got wrong; Python's zipfile judges whole ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock::test {

enum class Descriptor { none, plain, signed_, wide, signed_wide };

struct ZipMember {
  std::string name{}, body{};
  bool deflated = true;
  std::uint16_t flags = 0;
  Descriptor descriptor = Descriptor::none;       // not none: the header before the body has no sizes
  bool wide = false;                              // the header's sizes are in a zip64 field
  std::string extra{};                            // of the local header, besides
  std::optional<std::uint16_t> method{};          // said in both headers, whatever the body is
  std::optional<std::uint32_t> crc32{}, bytes{};  // said in both headers, whatever the body is
  std::string listed_as{};                        // in the directory; "": its name
  std::uint32_t attributes = 0100644u << 16;
  int listed = 1;  // how often the directory lists it
};

std::string deflate(const std::string& text);

// What zlib makes of the deflate stream that begins at `at`, as far as it goes; moves `at` behind what it
// took.
std::string inflate_prefix(const std::string& archive, std::size_t& at);

// The content of its members, one after the other, as far as zlib can make it: `archive` may be cut anywhere.
// Descriptors are to be signed_, and only behind what is deflated.
std::string unzip_prefix(const std::string& archive);

std::string zip(const std::vector<ZipMember>& members, const std::string& comment = {},
                bool wide_end = false);

// Little-endian, for those who change a zip.
std::string le16(std::uint64_t value);
std::string le32(std::uint64_t value);
std::string le64(std::uint64_t value);

}  // namespace penstock::test
