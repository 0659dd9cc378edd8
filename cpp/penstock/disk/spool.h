// A file without a name, for what does not fit into memory: written once, then read anywhere.
//
// Life:    gone with the last descriptor, whatever ends the process. Writing fails as files do: Error(busy,
//          code no_space) on a full disk.
// Threads: one writer; reads from any thread once that is done.
// Memory:  the newest 64 KiB, which are all there is of a short one: that never reaches the disk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "penstock/disk/descriptor.h"
#include "penstock/streams/source.h"

namespace penstock::disk {

class Spool {
 public:
  // In `folder`, once it needs a file; "": $TMPDIR, else /tmp.
  explicit Spool(std::string folder = {});

  void write(Bytes bytes);                                               // all, or by a throw nothing of it
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) const;  // 0 at the end
  void cut(std::uint64_t size) noexcept;  // all behind the first `size` bytes is as if it were not written
  std::uint64_t size() const { return on_disk_ + newest_.size(); }

 private:
  void write_through(Bytes bytes);

  std::string folder_;
  Descriptor file_;
  std::uint64_t on_disk_ = 0;
  std::vector<std::byte> newest_;
};

// What a Spool holds, from `offset` on.
class SpoolSource : public Source {
 public:
  explicit SpoolSource(const Spool& spool, std::uint64_t offset = 0) : spool_(spool), at_(offset) {}
  explicit SpoolSource(const Spool&& spool, std::uint64_t offset = 0) = delete;

  std::size_t read(MutableBytes buffer) override;
  std::optional<std::uint64_t> remaining() const override {
    return spool_.size() - std::min(spool_.size(), at_);
  }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override;

 private:
  const Spool& spool_;
  std::uint64_t at_;
  std::optional<std::uint64_t> mark_;
};

}  // namespace penstock::disk
