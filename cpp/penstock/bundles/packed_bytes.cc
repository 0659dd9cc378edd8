#include "penstock/bundles/packed_bytes.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/units.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;

}  // namespace

void SpoolRoom::take(std::uint64_t bytes) {
  if (used_ += bytes; used_ <= bytes_) return;
  used_ -= bytes;
  throw Error{
      Kind::refused,
      fmt::format("the members of the zip that wait on disk are over the limit of {}", format_bytes(bytes_)),
      {.side = Side::sink, .doing = "pack a bundle", .code = std::string{code::kTooLarge}}};
}

void RoomSpool::write(Bytes bytes) {
  room_.take(bytes.size());
  const std::uint64_t before = file_.size();
  try {
    file_.write(bytes);
  } catch (...) {
    room_.give_back(bytes.size() - (file_.size() - before));
    throw;
  }
}

std::uint64_t RoomSpool::write_from(Source& source, std::uint64_t most) {
  std::vector<std::byte> buffer(kCopyBytes);
  std::uint64_t taken = 0;
  while (taken < most) {
    const std::size_t got =
        source.read(std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), most - taken)));
    if (got == 0) break;
    write(Bytes{buffer}.first(got));
    taken += got;
  }
  return taken;
}

// Empty once there is no page to be had.
MutableBytes PackedBytes::room_in_page() {
  if (spool_) return {};
  const std::size_t at = in_pages_ % kPageBytes;
  if (at == 0) {
    auto page = budget_.try_spare_page();
    if (!page) return {};
    pages_.push_back(std::move(*page));
  }
  return pages_.back().bytes().subspan(at);
}

bool PackedBytes::fill(Source& source, std::uint64_t most) {
  std::uint64_t have = in_pages_ + (spool_ ? spool_->file().size() : 0);
  while (have < most) {
    const MutableBytes page = room_in_page();
    if (page.empty()) break;
    const std::size_t got = source.read(page.first(std::min<std::uint64_t>(page.size(), most - have)));
    if (got == 0) return false;
    in_pages_ += got;
    have += got;
  }
  if (have == most) return true;
  if (!spool_) spool_ = std::make_unique<RoomSpool>(room_);
  return spool_->write_from(source, most - have) == most - have;
}

std::size_t PackedBytes::Reader::read(MutableBytes buffer) {
  Bytes some;
  if (at_ < bytes_.in_pages_) {
    const std::size_t begin = at_ % kPageBytes;
    const std::uint64_t left = std::min(kPageBytes - begin, bytes_.in_pages_ - at_);
    some =
        bytes_.pages_[at_ / kPageBytes].bytes().subspan(begin, std::min<std::uint64_t>(left, buffer.size()));
    std::ranges::copy(some, buffer.begin());
    at_ += some.size();
    return some.size();
  }
  if (!bytes_.spool_) return 0;
  const std::size_t got = bytes_.spool_->file().read_at(at_ - bytes_.in_pages_, buffer);
  at_ += got;
  return got;
}

}  // namespace penstock::bundles
