#include "penstock/s3/parts.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "penstock/base/error.h"
#include "penstock/base/units.h"

namespace penstock::s3 {
namespace {

constexpr std::uint64_t kEqualPartBytes = 16_MiB;  // reaches 156 GiB in 10,000 parts
constexpr int kPartsBeforeDoubling = 1000;

std::uint64_t fit(std::uint64_t length, int max_parts) {
  const auto parts = static_cast<std::uint64_t>(max_parts);
  const std::uint64_t least = length / parts + (length % parts != 0);
  return (least + 1_MiB - 1) / 1_MiB * 1_MiB;
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error{Kind::refused, message, {.side = Side::sink}};
}

}  // namespace

PartPlan::PartPlan(const Capabilities& row, std::uint64_t part_bytes, std::optional<std::uint64_t> length,
                   std::optional<std::uint64_t> length_hint)
    : grows_(!length && !row.equal_parts),
      equal_parts_(row.equal_parts),
      max_parts_(row.max_parts),
      first_(part_bytes),
      min_part_bytes_(row.min_part_bytes),
      max_part_bytes_(row.max_part_bytes) {
  if (part_bytes < min_part_bytes_ || part_bytes > max_part_bytes_) {
    refuse("part_bytes=" + std::to_string(part_bytes) + " is outside what " + row.provider +
           " takes: " + format_bytes(min_part_bytes_) + " to " + format_bytes(max_part_bytes_));
  }
  if (length) first_ = std::max(part_bytes, fit(*length, max_parts_));
  if (!length && equal_parts_) {
    first_ = std::max(part_bytes, length_hint ? fit(*length_hint, max_parts_) : kEqualPartBytes);
  }
  if (first_ > max_part_bytes_) {
    refuse("an object of " + format_bytes(length.value_or(length_hint.value_or(0))) + " does not fit " +
           std::to_string(max_parts_) + " parts of at most " + format_bytes(max_part_bytes_));
  }
}

std::uint64_t PartPlan::size_of(int number) const {
  if (const auto fixed = fixed_.find(number); fixed != fixed_.end()) return fixed->second;
  if (!grows_) return first_;
  const int doublings = std::min((number - 1) / kPartsBeforeDoubling, 30);
  return std::min(first_ << doublings, max_part_bytes_);
}

PagedPart::~PagedPart() {
  const std::uint64_t held = page_bytes();
  pages_.clear();  // back in the Budget before anybody is told
  if (on_release_) on_release_(held);
}

MutableBytes PagedPart::room() {
  if (size_ == capacity()) return {};
  return pages_.back().bytes().subspan(size_ % kPageBytes);
}

Page PagedPart::spill(const std::string& folder) {
  if (spool_ && pages_.size() == before_spool_) throw std::logic_error{"the page it gave back was not added"};
  if (!spool_) {
    spool_.emplace(folder);
    before_spool_ = pages_.size() - 1;
  }
  spool_->write(pages_.back().bytes());
  Page last = std::move(pages_.back());
  pages_.pop_back();
  return last;
}

std::size_t PagedPart::read_within(std::uint64_t page, std::uint64_t in_page, MutableBytes out) const {
  const std::uint64_t spilled = spilled_pages();
  if (spool_ && page >= before_spool_ && page < before_spool_ + spilled)
    return spool_->read_at((page - before_spool_) * kPageBytes + in_page, out);
  const std::uint64_t held = spool_ && page >= before_spool_ ? page - spilled : page;
  std::memcpy(out.data(), pages_[held].bytes().data() + in_page, out.size());
  return out.size();
}

std::size_t PagedPart::read_at(std::uint64_t offset, MutableBytes out) const {
  std::size_t done = 0;
  while (done < out.size() && offset < size_) {
    const std::uint64_t in_page = offset % kPageBytes;
    const std::uint64_t here =
        std::min({kPageBytes - in_page, size_ - offset, std::uint64_t{out.size() - done}});
    const std::size_t got = read_within(offset / kPageBytes, in_page, out.subspan(done, here));
    if (got == 0) break;  // the file lost bytes
    done += got;
    offset += got;
  }
  return done;
}

}  // namespace penstock::s3
