// An object read anywhere: seek() remembers the place, the next read opens the object there.
//
// Life:     holds one open read at most; its place outlives it.
// Threads:  one at a time.
// Failure:  every read is held to the version that was there first: a replaced object is Error(conflict, code
//           changed), never a mixture of two.
#pragma once

#include <memory>
#include <string>

#include "penstock/store/object_store.h"

namespace penstock::store {

class ObjectReader : public ObjectSource {
 public:
  // Looks at the object: Error(missing) if it is absent. `store` is borrowed. A range is not for readers.
  ObjectReader(ObjectStore& store, std::string_view key, const ReadOptions& options, Call call);

  std::size_t read(MutableBytes buffer) override;
  const ObjectMeta& meta() const override { return meta_; }
  std::optional<std::uint64_t> remaining() const override;
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override { seek(mark_); }

  // Past the end is allowed and reads as the end. No I/O.
  void seek(std::uint64_t offset) { at_ = offset; }
  std::uint64_t tell() const { return at_; }

 private:
  void move_to_place();
  std::size_t read_there(MutableBytes buffer);
  Error corrupt(std::string_view what) const;
  Error replaced() const;
  void open();

  ObjectStore& store_;
  std::string key_;
  ReadOptions options_;
  Call call_;
  ObjectMeta meta_;
  std::unique_ptr<ObjectSource> open_;
  std::uint64_t open_at_ = 0;  // where open_ stands
  std::uint64_t at_ = 0, mark_ = 0;
};

}  // namespace penstock::store
