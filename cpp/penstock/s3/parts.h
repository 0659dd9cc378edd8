// How an upload is cut into parts, and a part that lives in pages of the Budget.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "penstock/base/budget.h"
#include "penstock/disk/spool.h"
#include "penstock/http/request.h"
#include "penstock/s3/provider.h"

namespace penstock::s3 {

// The size of each part (s3.md 4.2). Pure: what it says depends on nothing but its arguments.
//
// length known:              one size, part_bytes or what fits the length into max_parts.
// unknown:                   part_bytes, doubled every 1,000 parts: 8 MiB reaches 7.8 TiB.
// unknown and equal parts:   one size from the hint, else at least 16 MiB.
class PartPlan {
 public:
  // Throws Error(refused) if the length does not fit the row, or part_bytes is under its minimum.
  PartPlan(const Capabilities& row, std::uint64_t part_bytes, std::optional<std::uint64_t> length,
           std::optional<std::uint64_t> length_hint);

  std::uint64_t size_of(int number) const;  // of part 1, 2, ..
  // This one part has another size than planned, because it is there already.
  void fix(int number, std::uint64_t bytes) { fixed_[number] = bytes; }
  // All have this one.
  void fix_all(std::uint64_t bytes) { first_ = bytes; }
  int max_parts() const { return max_parts_; }
  std::uint64_t min_part_bytes() const { return min_part_bytes_; }
  bool equal_parts() const { return equal_parts_; }

 private:
  bool grows_;
  bool equal_parts_;
  int max_parts_;
  std::uint64_t first_, min_part_bytes_, max_part_bytes_;
  std::map<int, std::uint64_t> fixed_;
};

// The bytes of one part, page by page.
//
// Life:    filled by one thread, then only read; `on_release` is called with the bytes of its pages when it
//          dies, on whatever thread that is.
// Memory:  its pages; nothing is copied once it is in. What spill() moved out lies in a file without a name,
//          and is read from there: on the I/O thread too, mostly out of the kernel's cache.
class PagedPart final : public http::Payload {
 public:
  using OnRelease = std::function<void(std::uint64_t page_bytes)>;
  explicit PagedPart(OnRelease on_release = {}) : on_release_(std::move(on_release)) {}
  ~PagedPart() override;
  PagedPart(const PagedPart&) = delete;
  PagedPart& operator=(const PagedPart&) = delete;

  void add(Page page) { pages_.push_back(std::move(page)); }
  // Takes back its last page, which is full and is now in a file in `folder` ("": $TMPDIR). Throws what a
  // Spool throws, and then has it still. Once it spills, each further page must be one it gave back.
  Page spill(const std::string& folder);
  bool spills() const { return spool_.has_value(); }
  // Free bytes at the end of the last page; empty: add() a page.
  MutableBytes room();
  // `bytes` of room() are filled.
  void grow(std::size_t bytes) { size_ += bytes; }
  std::uint64_t page_bytes() const { return pages_.size() * kPageBytes; }

  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, MutableBytes out) const override;

 private:
  std::uint64_t capacity() const { return page_bytes() + spilled_pages() * kPageBytes; }
  std::uint64_t spilled_pages() const { return spool_ ? spool_->size() / kPageBytes : 0; }
  std::size_t read_within(std::uint64_t page, std::uint64_t in_page, MutableBytes out) const;

  OnRelease on_release_;
  // Pages before the file, the file, and after it the one page that is filled.
  std::vector<Page> pages_;
  std::optional<disk::Spool> spool_;
  std::uint64_t before_spool_ = 0;  // pages
  std::uint64_t size_ = 0;
};

}  // namespace penstock::s3
