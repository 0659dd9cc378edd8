// The rest of a zip, on disk, so that its directory can be asked before its members are read.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "penstock/codecs/input.h"
#include "penstock/codecs/limits.h"
#include "penstock/disk/spool.h"

namespace penstock::codecs {

// Memory: 16 bytes a member, and 130 KiB while its end is looked for.
class ZipSpool {
 public:
  // Takes all that is left. Throws Error(refused, code too_large) beyond the limits, Error(corrupt) if no
  // directory is found from its end, and what the disk says.
  ZipSpool(Input& rest, const Limits& limits);
  ZipSpool(const ZipSpool&) = delete;
  ZipSpool& operator=(const ZipSpool&) = delete;

  // What was taken, from where it began.
  Input input() { return Input{source_, base_}; }

  // Of the member whose header is at `offset`, as the directory says. Throws Error(corrupt) if it does not.
  std::uint64_t packed_bytes(std::uint64_t offset) const;

 private:
  void take(Input& rest, const Limits& limits);
  std::uint64_t find_directory() const;
  std::uint64_t in_file(std::uint64_t offset) const;
  void read_directory(std::uint64_t offset, const Limits& limits);

  std::uint64_t base_;  // where in the zip it begins
  disk::Spool file_;
  disk::SpoolSource source_{file_};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> packed_bytes_;  // beside offsets, sorted
};

}  // namespace penstock::codecs
