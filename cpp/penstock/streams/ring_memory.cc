#include "penstock/streams/ring_memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock {

RingMemory::RingMemory(std::size_t bytes, Budget& budget)
    : capacity_(std::max<std::size_t>(bytes, 1)), block_bytes_(capacity_) {
  if (capacity_ % kPageBytes != 0) {
    charge_ = budget.overdraw(capacity_);
    block_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
    return;
  }
  pages_.push_back(budget.overdraw_page());
  while (pages_.size() < capacity_ / kPageBytes) {
    auto page = budget.try_spare_page();
    if (!page) break;
    pages_.push_back(*std::move(page));
  }
  capacity_ = pages_.size() * kPageBytes;
  block_bytes_ = kPageBytes;
}

std::byte* RingMemory::block_at(std::size_t place) const {
  return paged() ? pages_[place / kPageBytes].bytes().data() : block_.get();
}

void RingMemory::copy_in(std::size_t to, Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t in_block = to % block_bytes_;
    const std::size_t count = std::min(bytes.size(), block_bytes_ - in_block);
    std::memcpy(block_at(to) + in_block, bytes.data(), count);
    bytes = bytes.subspan(count);
    to = (to + count) % capacity_;
  }
}

void RingMemory::copy_out(std::size_t from, MutableBytes bytes) const {
  while (!bytes.empty()) {
    const std::size_t in_block = from % block_bytes_;
    const std::size_t count = std::min(bytes.size(), block_bytes_ - in_block);
    std::memcpy(bytes.data(), block_at(from) + in_block, count);
    bytes = bytes.subspan(count);
    from = (from + count) % capacity_;
  }
}

Page* RingMemory::page_at(std::size_t place) {
  return paged() && place % kPageBytes == 0 ? &pages_[place / kPageBytes] : nullptr;
}

}  // namespace penstock
