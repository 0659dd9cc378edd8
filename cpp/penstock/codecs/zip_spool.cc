#include "penstock/codecs/zip_spool.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "penstock/codecs/codes.h"
#include "penstock/codecs/zip_format.h"

namespace penstock::codecs {

ZipSpool::ZipSpool(Input& rest, const Limits& limits) : base_(rest.taken()) {
  take(rest, limits);
  read_directory(find_directory(), limits);
}

void ZipSpool::take(Input& rest, const Limits& limits) {
  while (rest.have(1)) {
    const Bytes some = rest.unread();
    if (some.size() > limits.spool_bytes - std::min(limits.spool_bytes, file_.size()))
      throw zip::refused(fmt::format("the zip has a member of unknown length, and more than {} after it",
                                     format_bytes(limits.spool_bytes)),
                         penstock::code::kTooLarge);
    file_.write(some);
    rest.take(some.size());
  }
}

// By the end record after whose comment nothing but zeros come.
std::uint64_t ZipSpool::find_directory() const {
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(
      file_.size(), zip::kEnd64LocatorBytes + zip::kMaxEndBytes + zip::kMaxPaddingBytes);
  std::vector<std::byte> tail(tail_bytes);
  disk::SpoolSource last{file_, file_.size() - tail_bytes};
  read_full(last, tail);
  const auto content =
      std::find_if(tail.rbegin(), tail.rend(), [](std::byte b) { return b != std::byte{0}; });
  const auto zeros = static_cast<std::size_t>(content - tail.rbegin());
  for (std::size_t left = zip::kEndBytes; left <= tail.size(); ++left) {
    const Bytes end = Bytes{tail}.last(left);
    if (zip::le32(end, 0) != zip::kEnd) continue;
    const std::size_t after = left - zip::kEndBytes, comment = zip::le16(end, 20);
    if (comment > after || after - comment > zeros) continue;
    const std::uint64_t offset = zip::parse_end(end).directory_offset;
    if (offset != zip::kWide || tail.size() - left < zip::kEnd64LocatorBytes) return offset;
    const Bytes locator = Bytes{tail}.last(left + zip::kEnd64LocatorBytes).first(zip::kEnd64LocatorBytes);
    if (zip::le32(locator, 0) != zip::kEnd64Locator) return offset;
    disk::SpoolSource source{file_, in_file(zip::end64_at(locator))};
    Input input{source};
    return zip::parse_end64(zip::record(input, zip::kEnd64Bytes)).directory_offset;
  }
  throw zip::corrupt("the zip has no end record", code::kTruncated);
}

std::uint64_t ZipSpool::in_file(std::uint64_t offset) const {
  if (offset < base_ || offset - base_ > file_.size())
    throw zip::corrupt("the zip's end record says its directory is where it is not");
  return offset - base_;
}

void ZipSpool::read_directory(std::uint64_t offset, const Limits& limits) {
  disk::SpoolSource source{file_, in_file(offset)};
  Input input{source};
  while (zip::signature(input) == zip::kDirectory) {
    const Bytes whole = zip::record(input, zip::kDirectoryBytes, zip::directory_bytes);
    const zip::DirectoryEntry entry = zip::parse_directory(whole);
    packed_bytes_.emplace_back(entry.offset, entry.member.packed_bytes);
    input.take(whole.size());
    if (packed_bytes_.size() > limits.entries)
      throw zip::refused(fmt::format("the zip has more than {} entries", limits.entries),
                         penstock::code::kTooLarge);
  }
  std::ranges::sort(packed_bytes_);
}

std::uint64_t ZipSpool::packed_bytes(std::uint64_t offset) const {
  const auto found = std::ranges::lower_bound(packed_bytes_, std::pair{offset, std::uint64_t{0}});
  if (found == packed_bytes_.end() || found->first != offset)
    throw zip::corrupt("the zip's directory does not list all its members");
  return found->second;
}

}  // namespace penstock::codecs
