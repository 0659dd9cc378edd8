// A small object, or a piece of one: what was asked for lies in memory.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "penstock/store/object_store.h"
#include "penstock/streams/held.h"

namespace penstock::s3 {

class HeldObject final : public store::ObjectSource, public Held {
 public:
  // `memory` keeps what `bytes` are in.
  HeldObject(Bytes bytes, std::shared_ptr<const void> memory, store::ObjectMeta meta)
      : memory_(std::move(memory)), bytes_(bytes), meta_(std::move(meta)) {}

  std::size_t read(MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), bytes_.size() - at_);
    if (count > 0) std::memcpy(buffer.data(), bytes_.data() + at_, count);
    at_ += count;
    return count;
  }
  std::optional<std::uint64_t> remaining() const override { return bytes_.size() - at_; }
  std::size_t ready() const override { return bytes_.size() - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override { at_ = mark_; }
  const store::ObjectMeta& meta() const override { return meta_; }

 private:
  std::shared_ptr<const void> memory_;
  Bytes bytes_;
  std::size_t at_ = 0, mark_ = 0;
  store::ObjectMeta meta_;
};

}  // namespace penstock::s3
