// The memory of a ring, addressed by place 0..capacity() and round again: whole pages of the Budget, which
// can be exchanged for others, or one block where the ring is not a whole number of pages.
//
// Memory: `bytes`, taken from the Budget while it lives. Of several pages only the first is sure: the others
//         are as many as the lower half of the Budget has to spare.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "penstock/base/budget.h"
#include "penstock/base/bytes.h"

namespace penstock {

class RingMemory {
 public:
  RingMemory(std::size_t bytes, Budget& budget);

  std::size_t capacity() const { return capacity_; }
  void copy_in(std::size_t to, Bytes bytes);
  void copy_out(std::size_t from, MutableBytes bytes) const;
  bool paged() const { return !pages_.empty(); }
  // The page that begins at this place; null if none does.
  Page* page_at(std::size_t place);

 private:
  std::byte* block_at(std::size_t place) const;
  std::size_t capacity_, block_bytes_;
  mutable std::vector<Page> pages_;
  Charge charge_;
  std::unique_ptr<std::byte[]> block_;
};

}  // namespace penstock
