// One 512-byte block of a tar: a header, as POSIX (ustar), GNU and the old tar write it, and the records of a
// pax header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/bytes.h"
#include "penstock/base/call.h"

namespace penstock::codecs {

inline constexpr std::size_t kTarBlockBytes = 512;

struct TarHeader {
  std::string name{}, link_to{};  // raw bytes
  std::uint64_t bytes = 0;
  std::optional<WallTime> modified{};
  char type = '0';

  // Throws Error(corrupt) for a block whose checksum is wrong, or whose size is no number.
  static TarHeader parse(Bytes block);
};

// Whether a block that may be anything is a header by its magic and checksum.
bool is_tar_header(Bytes block);

// What a pax header says instead of the header after it.
struct PaxRecords {
  std::optional<std::string> path{}, linkpath{};
  std::optional<std::uint64_t> size{};
  std::optional<WallTime> mtime{};
  bool sparse = false;

  // Later records win. Throws Error(corrupt).
  void add(std::string_view records);
};

}  // namespace penstock::codecs
