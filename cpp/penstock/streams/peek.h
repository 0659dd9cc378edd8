// The stage whose first bytes may be looked at before they are read: what a stream is, it says there.
//
// Memory: what was looked at, for as long as the stage lives: a rewind may need it again.
#pragma once

#include <cstddef>
#include <exception>
#include <vector>

#include "penstock/streams/source.h"

namespace penstock {

class Peek : public Source {
 public:
  explicit Peek(Source& source) : source_(source) {}
  explicit Peek(Source&& source) = delete;

  // The first `bytes`, fewer only if the stream ends before; reads until they are here. Valid until the next
  // peek(). Throws what the source throws: again when asked again, and read() throws it behind what came
  // before. std::logic_error once read() was called.
  Bytes peek(std::size_t bytes);

  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override;
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

 private:
  void look_at(std::size_t more);
  void throw_failure();

  Source& source_;
  std::vector<std::byte> seen_;
  std::size_t at_ = 0, marked_at_ = 0;  // in what was seen
  bool reading_ = false;
  std::exception_ptr failure_;
};

}  // namespace penstock
